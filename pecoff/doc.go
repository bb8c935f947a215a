// SPDX-License-Identifier: BSD-3-Clause

// Package pecoff reads UEFI images: PE32 and PE32+ files of an EFI subsystem (UEFI 2.10 §2.1.1).
//
// It owns the way from bytes to a loaded image. [Parse] reads the headers, [Image.Check] says
// whether firmware would load the image, [Image.LayOut] puts it into memory, [Image.Relocate]
// fits it to its address. It also owns what is asked of an image before it runs: its
// Authenticode digest, its certificate table, its sections by name, and the profiles of a
// unified kernel image. It knows no guest memory, no signature verification and no measurement.
//
// Rules come from the PE/COFF specification where files keep it, and from EDK2
// (MdePkg/Library/BasePeCoffLib, SecurityPkg) where they do not: what EDK2 loads is loaded here, and
// nothing is ever written outside SizeOfImage. TE images, images with sections mapped over the
// headers, and images whose fields exceed the limits below are refused.
//
// # Hostile input
//
// All input is taken to be hostile. Nothing here panics. LayOut takes time in proportion to
// SizeOfImage (sections may take twice as much together), a digest to the file's size (four
// times), the rest to the tables it reads. Allocated are a few times the section table (at most
// 65,535 entries of 40 bytes, all present in the file) and at most [MaxCertificateTable]. LayOut
// and Relocate write only to the slice they are given. The caller allocates SizeOfImage bytes, at
// most [MaxImageSize]; that a file of 1 KiB may ask for that much is for the caller to weigh.
//
// Not protected against: a reader whose bytes change between calls. The header fields are read
// once, so memory stays safe, but a digest then says nothing about what LayOut copied. Hand in
// bytes that cannot change.
//
// # Not done
//
// COFF string tables (section names such as "/4" are left as they are), TE images, imports,
// exports, resources, debug data. EDK2 adds the size of CodeView data that lies outside all
// sections to the image size; this package does not load such data.
package pecoff
