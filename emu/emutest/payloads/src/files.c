/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * files: the file protocol (13.5) on its own volume, which holds the files of
 * the folder volume/. It prints a listing. Load options: "write" also creates,
 * writes and deletes a file, on a volume that is not read-only.
 */

#include "lib.h"

static const guid file_info = FILE_INFO_GUID, fs_info = FILE_SYSTEM_INFO_GUID, fs_guid = FILE_SYSTEM_GUID;
static struct file *root;
static u64 space[128];
static struct file_info *const info = (struct file_info *)space;

static struct file *open(const char *what, struct file *from, const char16 *name)
{
	struct file *f = NULL;
	return expect(what, from->Open(from, &f, name, MODE_READ, 0), SUCCESS) ? f : NULL;
}

/* contents checks all that is in a file. */
static void contents(const char *what, struct file *f, const char *want)
{
	char text[64];
	u64 n = sizeof text;
	if (!f)
		return;
	expect(what, f->Read(f, &n, text), SUCCESS);
	u64 size = 0;
	while (want[size])
		size++;
	expect("as many bytes", n, size);
	check("the same bytes", n == size && same(text, want, n));
	expect("Close", f->Close(f), SUCCESS);
}

static u64 listed;

/* list prints what is below dir; one read buffer serves all levels. */
static void list(struct file *dir, u64 depth)
{
	for (;;) {
		u64 n = sizeof space;
		status s = dir->Read(dir, &n, info);
		if (s != SUCCESS) {
			expect("Read of a directory", s, SUCCESS);
			return;
		}
		if (!n)
			return;
		if (info->Size != n || n < 80 + 2 * (length16(info->FileName) + 1))
			expect("the size of an entry", n, info->Size);
		if (equal16(info->FileName, L".") || equal16(info->FileName, L".."))
			continue;
		listed++;
		for (u64 i = 0; i < depth; i++)
			say("  ");
		if (info->Attribute & FILE_DIRECTORY) {
			struct file *sub;
			say("%w\\\n", info->FileName);
			if (depth < 8 && expect("Open of an entry", dir->Open(dir, &sub, info->FileName, MODE_READ, 0), SUCCESS)) {
				list(sub, depth + 1);
				sub->Close(sub);
			}
		} else {
			say("%w %u\n", info->FileName, info->FileSize);
		}
	}
}

static void directories(void)
{
	u64 n = 8;
	struct file *dir = open("Open of a directory", root, L"\\dir");
	if (!dir)
		return;
	expect("Read of a directory, too small", dir->Read(dir, &n, info), BUFFER_TOO_SMALL);
	check("the size it wants", n > 80 && n < sizeof space);
	expect("Read of a directory", dir->Read(dir, &n, info), SUCCESS);
	char16 first = info->FileName[0];
	for (n = 1; n;) {
		n = sizeof space;
		if (!expect("Read of the next", dir->Read(dir, &n, info), SUCCESS))
			break;
	}
	n = sizeof space;
	expect("Read at the end", dir->Read(dir, &n, info), SUCCESS);
	expect("gives nothing", n, 0);
	expect("SetPosition of a directory", dir->SetPosition(dir, 1), UNSUPPORTED);
	expect("SetPosition to its start", dir->SetPosition(dir, 0), SUCCESS);
	n = sizeof space;
	expect("Read from its start", dir->Read(dir, &n, info), SUCCESS);
	expect("the same entry", info->FileName[0], first);
	expect("GetPosition of a directory", dir->GetPosition(dir, &n), UNSUPPORTED);

	n = 0;
	expect("GetInfo of size 0", dir->GetInfo(dir, &file_info, &n, NULL), BUFFER_TOO_SMALL);
	expect("GetInfo", dir->GetInfo(dir, &file_info, &n, info), SUCCESS);
	check("it is a directory", info->Attribute & FILE_DIRECTORY);
	check("it has its name", equal16(info->FileName, L"dir"));
	contents("Read by a relative name", open("Open from a directory", dir, L"sub\\deep.txt"), "deep\n");
	contents("Read by an absolute name", open("Open of an absolute name", dir, L"\\hello.txt"), "Hello from a file.\n");
	contents("Read by way of ..", open("Open by way of ..", dir, L"..\\hello.txt"), "Hello from a file.\n");
	contents("Read by way of .", open("Open by way of .", dir, L".\\a.txt"), "a\n");
	expect("Close of a directory", dir->Close(dir), SUCCESS);

	n = sizeof space;
	expect("GetInfo of the root", root->GetInfo(root, &file_info, &n, info), SUCCESS);
	check("the root is a directory", info->Attribute & FILE_DIRECTORY);
}

static void names(void)
{
	struct file *f;
	u64 n = sizeof space;
	if ((f = open("Open of a long name, in capitals", root, L"\\DIR\\A LONG FILE NAME.TEXT"))) {
		expect("GetInfo of it", f->GetInfo(f, &file_info, &n, info), SUCCESS);
		expect("its FileSize", info->FileSize, 26);
		check("its name as it is written", equal16(info->FileName, L"A long file name.text"));
		check("it is no directory", !(info->Attribute & FILE_DIRECTORY));
		n = 80;
		expect("GetInfo, too small", f->GetInfo(f, &file_info, &n, info), BUFFER_TOO_SMALL);
		expect("the size it wants", n, info->Size);
		expect("GetInfo of no kind", f->GetInfo(f, &fs_guid, &n, info), UNSUPPORTED);
		contents("Read of it", f, "This one has a long name.\n");
	}
	expect("Open of a missing file", root->Open(root, &f, L"\\missing.txt", MODE_READ, 0), NOT_FOUND);
	expect("Open in a missing directory", root->Open(root, &f, L"\\missing\\hello.txt", MODE_READ, 0), NOT_FOUND);
	check("Open below a file", is_error(root->Open(root, &f, L"\\hello.txt\\x", MODE_READ, 0)));
	expect("Open to write alone", root->Open(root, &f, L"\\hello.txt", MODE_WRITE, 0), INVALID_PARAMETER);
	expect("Open for nothing", root->Open(root, &f, L"\\hello.txt", 0, 0), INVALID_PARAMETER);
	contents("Read of an empty file", open("Open of an empty file", root, L"empty.txt"), "");
}

static void positions(void)
{
	char text[11] = "";
	u64 at = 99, n;
	struct file *f = open("Open", root, L"dir\\lines.txt");
	if (!f)
		return;
	expect("GetPosition at the start", f->GetPosition(f, &at), SUCCESS);
	expect("is", at, 0);
	expect("SetPosition", f->SetPosition(f, 5670), SUCCESS);
	n = 10;
	expect("Read there", f->Read(f, &n, text), SUCCESS);
	check("the line", n == 10 && same(text, "line 0567\n", 10));
	f->GetPosition(f, &at);
	expect("GetPosition after it", at, 5680);
	f->SetPosition(f, 8995);
	n = 10;
	expect("Read over the end", f->Read(f, &n, text), SUCCESS);
	expect("gives what there is", n, 5);
	n = 10;
	expect("Read at the end", f->Read(f, &n, text), SUCCESS);
	expect("gives nothing", n, 0);
	expect("SetPosition to the end", f->SetPosition(f, ~0ULL), SUCCESS);
	f->GetPosition(f, &at);
	expect("GetPosition is the size", at, 9000);
	f->SetPosition(f, 9001);
	n = 10;
	expect("Read past the end", f->Read(f, &n, text), DEVICE_ERROR);
	expect("Close", f->Close(f), SUCCESS);
}

static int read_only;

static void volume_info(void)
{
	struct file_system_info *v = (void *)space;
	u64 n = 0;
	expect("GetInfo of the volume, size 0", root->GetInfo(root, &fs_info, &n, NULL), BUFFER_TOO_SMALL);
	expect("GetInfo of the volume", root->GetInfo(root, &fs_info, &n, v), SUCCESS);
	expect("its size", v->Size, n);
	check("its block size", v->BlockSize && !(v->BlockSize & (v->BlockSize - 1)));
	check("its free space", v->FreeSpace <= v->VolumeSize);
	read_only = v->ReadOnly;
	say("The volume \"%w\" is %s.\n", v->VolumeLabel, read_only ? "read-only" : "writable");
}

static void refused(void)
{
	struct file *f;
	u64 n = 2;
	status s;
	expect("Open to write", root->Open(root, &f, L"\\hello.txt", MODE_READ | MODE_WRITE, 0), WRITE_PROTECTED);
	expect("Open to create", root->Open(root, &f, L"\\new.txt", MODE_READ | MODE_WRITE | MODE_CREATE, 0), WRITE_PROTECTED);
	if (!(f = open("Open to read", root, L"\\hello.txt")))
		return;
	s = f->Write(f, &n, "no");
	check("Write", s == WRITE_PROTECTED || s == ACCESS_DENIED);
	n = sizeof space;
	f->GetInfo(f, &file_info, &n, info);
	info->FileSize = 0;
	s = f->SetInfo(f, &file_info, n, info);
	check("SetInfo", s == WRITE_PROTECTED || s == ACCESS_DENIED);
	expect("Delete warns", f->Delete(f), 2);
	contents("Read after all that", open("Open after all that", root, L"\\hello.txt"), "Hello from a file.\n");
}

static void written(void)
{
	struct file *f;
	u64 n = 9;
	const u64 all = MODE_READ | MODE_WRITE | MODE_CREATE;
	if (!expect("Open to create", root->Open(root, &f, L"\\dir\\new file.txt", all, 0), SUCCESS))
		return;
	expect("Write", f->Write(f, &n, "new text\n"), SUCCESS);
	expect("Flush", f->Flush(f), SUCCESS);
	f->SetPosition(f, 4);
	n = 4;
	expect("Write over it", f->Write(f, &n, "file"), SUCCESS);
	f->Close(f);
	contents("Read of it", open("Open of it", root, L"\\dir\\new file.txt"), "new file\n");
	expect("Open to delete", root->Open(root, &f, L"\\dir\\new file.txt", MODE_READ | MODE_WRITE, 0), SUCCESS);
	expect("Delete", f->Delete(f), SUCCESS);
	expect("Open of a deleted file", root->Open(root, &f, L"\\dir\\new file.txt", MODE_READ, 0), NOT_FOUND);
	expect("Open to make a directory", root->Open(root, &f, L"\\made", all, FILE_DIRECTORY), SUCCESS);
	expect("Delete of a directory", f->Delete(f), SUCCESS);
}

status efi_main(handle h, struct system_table *st)
{
	begin(h, st);
	if (!check("there is a volume", (root = volume()) != NULL))
		return finish("files");
	list(root, 0);
	check("the listing has all that volume/ has", listed >= 8);
	directories();
	names();
	positions();
	volume_info();
	if (read_only)
		refused();
	else if (equal(options(), "write"))
		written();
	expect("Close of the root", root->Close(root), SUCCESS);
	return finish("files");
}
