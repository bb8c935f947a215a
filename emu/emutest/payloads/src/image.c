/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * image: LoadImage, StartImage, Exit and UnloadImage (7.4), on \child.efi and
 * \driver.efi of its own volume. It takes no load options.
 */

#include "driver.h"
#include "path.h"

static const guid loaded = LOADED_IMAGE_GUID, adder_id = ADDER_GUID, device_path = DEVICE_PATH_GUID;
static u8 path[1024];

static struct loaded_image *info(handle h)
{
	struct loaded_image *li = NULL;
	BS->HandleProtocol(h, &loaded, (void **)&li);
	return li;
}

static handle load(const char *what, const char16 *name, const char16 *options)
{
	handle h = NULL;
	struct loaded_image *li;
	if (!check("there is a path", file_path(path, sizeof path, name) != NULL) ||
	    !expect(what, BS->LoadImage(0, image, path, NULL, 0, &h), SUCCESS) || !(li = info(h)))
		return NULL;
	if (options) {
		li->LoadOptions = (void *)options;
		li->LoadOptionsSize = (u32)(length16(options) + 1) * 2;
	}
	return h;
}

static void gone(handle h)
{
	void *p;
	check("the image is gone", is_error(BS->HandleProtocol(h, &loaded, &p)));
}

static void run(const char *what, const char16 *options, status want)
{
	u64 size = 77;
	char16 *data = NULL;
	handle h = load("LoadImage of \\child.efi", L"\\child.efi", options);
	if (!h)
		return;
	expect(what, BS->StartImage(h, &size, &data), want);
	gone(h);
	if (data)
		expect("FreePool of its exit data", BS->FreePool(data), SUCCESS);
}

static void fields(void)
{
	handle h = load("LoadImage by device path", L"\\child.efi", NULL);
	struct loaded_image *li;
	if (!h || !(li = info(h)))
		return;
	check("ParentHandle", li->ParentHandle == image);
	check("SystemTable", li->SystemTable == ST);
	check("DeviceHandle", li->DeviceHandle == self->DeviceHandle);
	check("FilePath is a file path", li->FilePath && li->FilePath->Type == 4 && li->FilePath->SubType == 4);
	check("and names the file", li->FilePath && equal16((char16 *)(li->FilePath + 1), L"\\child.efi"));
	check("FilePath ends", li->FilePath && is_end(next_node(li->FilePath)));
	check("ImageBase", li->ImageBase && *(u16 *)li->ImageBase == 0x5a4d);
	check("ImageSize", li->ImageSize >= 4096);
	expect("ImageCodeType", li->ImageCodeType, LoaderCode);
	expect("ImageDataType", li->ImageDataType, LoaderData);
	expect("LoadOptionsSize", li->LoadOptionsSize, 0);
	check("Unload", li->Unload == NULL);
	expect("UnloadImage before it is started", BS->UnloadImage(h), SUCCESS);
	gone(h);
	expect("UnloadImage again", BS->UnloadImage(h), INVALID_PARAMETER);
	expect("UnloadImage of the running program", BS->UnloadImage(image), UNSUPPORTED);
}

static void exits(void)
{
	u64 size = 0;
	char16 *data = NULL;
	handle h;
	run("StartImage of one that returns 0", NULL, SUCCESS);
	run("StartImage of one that returns a warning", L"return 3", 3);
	run("StartImage of one that returns an error", L"return -14", NOT_FOUND);
	run("StartImage of one that fails to exit its parent", L"other", INVALID_PARAMETER);
	run("StartImage of one that calls Exit with 0", L"exit 0", SUCCESS);
	run("StartImage four deep, Exit at the bottom", L"deep 04", DEVICE_ERROR);
	if ((h = load("LoadImage of \\child.efi", L"\\child.efi", L"exit -21"))) {
		expect("StartImage of one that calls Exit with an error", BS->StartImage(h, &size, &data), ABORTED);
		expect("ExitDataSize", size, sizeof L"child says bye");
		check("ExitData", data && equal16(data, L"child says bye"));
		gone(h);
		if (data)
			expect("FreePool of ExitData", BS->FreePool(data), SUCCESS);
	}
	if ((h = load("LoadImage of \\child.efi", L"\\child.efi", L"exit -21")))
		expect("StartImage without a place for exit data", BS->StartImage(h, NULL, NULL), ABORTED);
	expect("StartImage of the running program", BS->StartImage(image, NULL, NULL), INVALID_PARAMETER);
}

static void buffers(void)
{
	struct file *root = volume(), *f;
	u64 size = 65536;
	u8 *b = NULL;
	handle h = NULL;
	struct loaded_image *li;
	if (!check("there is a volume", root != NULL) ||
	    !expect("Open of \\child.efi", root->Open(root, &f, L"\\child.efi", MODE_READ, 0), SUCCESS) ||
	    BS->AllocatePool(LoaderData, size, (void **)&b) != SUCCESS)
		return;
	expect("Read", f->Read(f, &size, b), SUCCESS);
	f->Close(f);
	root->Close(root);
	if (expect("LoadImage from a buffer", BS->LoadImage(0, image, NULL, b, size, &h), SUCCESS) && (li = info(h))) {
		check("it has no DeviceHandle", li->DeviceHandle == NULL);
		check("it has no FilePath", li->FilePath == NULL);
		check("it is a copy", (u8 *)li->ImageBase + li->ImageSize <= b || (u8 *)li->ImageBase >= b + 65536);
		li->LoadOptions = L"return 5";
		li->LoadOptionsSize = sizeof L"return 5";
		expect("StartImage", BS->StartImage(h, NULL, NULL), 5);
	}
	/* A path that leads nowhere is kept as it is when there is a buffer. */
	struct device_path *p = (struct device_path *)path;
	p = add_node(p, 4, 4, sizeof L"elsewhere.efi", L"elsewhere.efi");
	add_node(p, 0x7f, 0xff, 0, NULL);
	if (expect("LoadImage from a buffer, with a path", BS->LoadImage(0, image, path, b, size, &h), SUCCESS) && (li = info(h))) {
		check("its FilePath is a copy of that", li->FilePath && (u8 *)li->FilePath != path && same(li->FilePath, path, 36));
		expect("UnloadImage", BS->UnloadImage(h), SUCCESS);
	}
	h = NULL;
	check("LoadImage of half a file", is_error(BS->LoadImage(0, image, NULL, b, 700, &h)));
	b[0] = 'X';
	status s = BS->LoadImage(0, image, NULL, b, size, &h);
	check("LoadImage of what is no image", s == LOAD_ERROR || s == UNSUPPORTED);
	expect("LoadImage of nothing", BS->LoadImage(0, image, NULL, NULL, 0, &h), INVALID_PARAMETER);
	expect("LoadImage without a parent", BS->LoadImage(0, NULL, path, b, size, &h), INVALID_PARAMETER);
	expect("LoadImage to nowhere", BS->LoadImage(0, image, path, b, size, NULL), INVALID_PARAMETER);
	if (file_path(path, sizeof path, L"\\no such file.efi"))
		expect("LoadImage of a missing file", BS->LoadImage(0, image, path, NULL, 0, &h), NOT_FOUND);
	if (file_path(path, sizeof path, L"\\hello.txt"))
		check("LoadImage of a text", is_error(BS->LoadImage(0, image, path, NULL, 0, &h)));
	BS->FreePool(b);
}

static void drivers(void)
{
	struct adder *adder = NULL;
	struct loaded_image *li;
	handle h;
	expect("LocateProtocol before the driver", BS->LocateProtocol(&adder_id, NULL, (void **)&adder), NOT_FOUND);
	if ((h = load("LoadImage of \\driver.efi", L"\\driver.efi", L"fail"))) {
		expect("StartImage of a driver that fails", BS->StartImage(h, NULL, NULL), OUT_OF_RESOURCES);
		gone(h);
	}
	if (!(h = load("LoadImage of \\driver.efi", L"\\driver.efi", L"stuck")) || !(li = info(h)))
		return;
	expect("a driver's ImageCodeType", li->ImageCodeType, BootServicesCode);
	expect("a driver's ImageDataType", li->ImageDataType, BootServicesData);
	expect("StartImage of a driver", BS->StartImage(h, NULL, NULL), SUCCESS);
	check("the driver stays", info(h) == li);
	expect("StartImage of a driver again", BS->StartImage(h, NULL, NULL), INVALID_PARAMETER);
	if (expect("LocateProtocol of the driver's", BS->LocateProtocol(&adder_id, NULL, (void **)&adder), SUCCESS)) {
		expect("a call into the driver", adder->Add(40, 2), 42);
		expect("its count", *adder->Calls, 1);
	}
	expect("UnloadImage that the driver refuses", BS->UnloadImage(h), ACCESS_DENIED);
	check("the driver is still there", info(h) == li);
	expect("UnloadImage of the driver", BS->UnloadImage(h), SUCCESS);
	gone(h);
	expect("LocateProtocol after the driver", BS->LocateProtocol(&adder_id, NULL, (void **)&adder), NOT_FOUND);
}

status efi_main(handle h, struct system_table *st)
{
	void *p;
	begin(h, st);
	if (!check("there is a loaded image", self != NULL))
		return finish("image");
	check("the volume has a device path", BS->HandleProtocol(self->DeviceHandle, &device_path, &p) == SUCCESS);
	fields();
	exits();
	buffers();
	drivers();
	return finish("image");
}
