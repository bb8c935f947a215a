// SPDX-License-Identifier: BSD-3-Clause

// Command peinfo prints what saferwall/pe reads from a PE image. It stands beside package pecoff, which reads less and
// loads; a signature's last column says whether pecoff's digest was signed. Nothing is verified against a key.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/saferwall/pe"
	"github.com/saferwall/pe/log"

	"github.com/uefiexec/uefiexec/pecoff"
)

func main() {
	for _, name := range os.Args[1:] {
		if err := report(os.Stdout, name); err != nil {
			fmt.Fprintf(os.Stderr, "peinfo: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func report(w io.Writer, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	im, err := pecoff.Parse(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	// With its default options Parse takes minutes over some damaged files.
	f, err := pe.NewBytes(data, &pe.Options{
		Logger: log.NewStdLogger(io.Discard), DisableCertValidation: true, DisableSignatureValidation: true,
		OmitExportDirectory: true, OmitImportDirectory: true, OmitExceptionDirectory: true, OmitResourceDirectory: true,
		OmitRelocDirectory: true, OmitDebugDirectory: true, OmitArchitectureDirectory: true, OmitGlobalPtrDirectory: true,
		OmitTLSDirectory: true, OmitLoadConfigDirectory: true, OmitBoundImportDirectory: true, OmitIATDirectory: true,
		OmitDelayImportDirectory: true, OmitCLRHeaderDirectory: true, OmitCLRMetadata: true,
	})
	if err == nil {
		err = f.Parse()
	}
	if err != nil {
		return err
	}
	sorted := func(flags []string) []string { return slices.Sorted(slices.Values(flags)) }
	h := f.NtHeader.FileHeader
	fmt.Fprintf(w, "%v %s %v %v\n", h.Machine, f.PrettyOptionalHeaderMagic(), sorted(h.Characteristics.String()), f.Anomalies)
	for i, d := range im.Directories { // saferwall/pe takes 16 of any image
		fmt.Fprintf(w, "directory %-12v %#10x %#10x\n", pe.ImageDirectoryEntry(i), d.VirtualAddress, d.Size)
	}
	for _, s := range f.Sections {
		fmt.Fprintf(w, "section %-8s %#10x %#10x %v\n", s.String(), s.Header.VirtualAddress, s.Header.VirtualSize, sorted(s.PrettySectionFlags()))
	}
	for _, c := range f.Certificates.Certificates {
		signed := c.SignatureContent
		digest, err := im.Authenticode(pecoff.AsIs, signed.HashFunction)
		same := err == nil && bytes.Equal(digest[0], signed.HashResult)
		fmt.Fprintf(w, "signature %q %v %x %v\n", c.Info.Subject, signed.HashFunction, signed.HashResult, same)
	}
	return nil
}
