/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * protocols: the handle database (7.3), driver connection (7.3.12) and
 * configuration tables, on handles and protocols of its own. It takes no load
 * options.
 */

#include "path.h"

static const guid one = {0x3be61a72, 0x8d04, 0x4c59, {0xb1, 0x6f, 0x20, 0x97, 0x4e, 0xd3, 0x58, 0x01}};
static const guid two = {0x3be61a72, 0x8d04, 0x4c59, {0xb1, 0x6f, 0x20, 0x97, 0x4e, 0xd3, 0x58, 0x02}};
static const guid three = {0x3be61a72, 0x8d04, 0x4c59, {0xb1, 0x6f, 0x20, 0x97, 0x4e, 0xd3, 0x58, 0x03}};
static const guid absent = {0x3be61a72, 0x8d04, 0x4c59, {0xb1, 0x6f, 0x20, 0x97, 0x4e, 0xd3, 0x58, 0xff}};
static const guid device_path = DEVICE_PATH_GUID, load_file2 = LOAD_FILE2_GUID, driver_binding = DRIVER_BINDING_GUID;

static u64 face1 = 1, face2 = 2, face3 = 3;
static handle a, b;

static void install(void)
{
	handle none = NULL;
	void *p = &face3;
	expect("InstallProtocolInterface on a new handle", BS->InstallProtocolInterface(&a, &one, 0, &face1), SUCCESS);
	check("it makes a handle", a != NULL);
	handle kept = a;
	expect("InstallProtocolInterface of a second", BS->InstallProtocolInterface(&a, &two, 0, &face2), SUCCESS);
	check("it keeps the handle", a == kept);
	expect("InstallProtocolInterface of the same", BS->InstallProtocolInterface(&a, &one, 0, &face3), INVALID_PARAMETER);
	expect("InstallProtocolInterface of a bad type", BS->InstallProtocolInterface(&a, &three, 1, &face3), INVALID_PARAMETER);
	expect("InstallProtocolInterface without a GUID", BS->InstallProtocolInterface(&a, NULL, 0, &face3), INVALID_PARAMETER);
	expect("InstallProtocolInterface without a handle", BS->InstallProtocolInterface(NULL, &three, 0, &face3), INVALID_PARAMETER);
	expect("InstallProtocolInterface of NULL", BS->InstallProtocolInterface(&b, &three, 0, NULL), SUCCESS);
	check("it makes another handle", b && b != a);

	expect("HandleProtocol", BS->HandleProtocol(a, &one, &p), SUCCESS);
	check("its interface", p == &face1);
	expect("HandleProtocol of NULL", BS->HandleProtocol(b, &three, &p), SUCCESS);
	check("its interface is NULL", p == NULL);
	expect("HandleProtocol of a missing one", BS->HandleProtocol(a, &absent, &p), UNSUPPORTED);
	expect("HandleProtocol without a handle", BS->HandleProtocol(NULL, &one, &p), INVALID_PARAMETER);
	expect("HandleProtocol without a GUID", BS->HandleProtocol(a, NULL, &p), INVALID_PARAMETER);
	expect("HandleProtocol to nowhere", BS->HandleProtocol(a, &one, NULL), INVALID_PARAMETER);

	expect("InstallMultiple that fails in its middle",
	       BS->InstallMultipleProtocolInterfaces(&b, &one, &face1, &three, &face3, &two, &face2, NULL), INVALID_PARAMETER);
	expect("it has taken back its first", BS->HandleProtocol(b, &one, &p), UNSUPPORTED);
	expect("InstallMultiple of nothing", BS->InstallMultipleProtocolInterfaces(&none, NULL), SUCCESS);
	check("it makes no handle", none == NULL);

	guid **ids;
	u64 n = 0;
	if (expect("ProtocolsPerHandle", BS->ProtocolsPerHandle(a, &ids, &n), SUCCESS)) {
		int seen = 0;
		for (u64 i = 0; i < n; i++)
			seen += same(ids[i], &one, sizeof one) ? 1 : same(ids[i], &two, sizeof two) ? 10 : 100;
		expect("it has both", (u64)seen, 11);
		expect("FreePool of its buffer", BS->FreePool(ids), SUCCESS);
	}
	expect("ProtocolsPerHandle without a handle", BS->ProtocolsPerHandle(NULL, &ids, &n), INVALID_PARAMETER);
}

static u64 openers(handle h, const guid *id, u32 attributes)
{
	struct open_protocol_information *info;
	u64 n = 0, found = 0;
	if (BS->OpenProtocolInformation(h, id, &info, &n) != SUCCESS)
		return 99;
	for (u64 i = 0; i < n; i++)
		if (info[i].Attributes == attributes)
			found += info[i].OpenCount;
	if (n)
		BS->FreePool(info);
	return found;
}

static void opening(void)
{
	void *p = NULL;
	struct open_protocol_information *info;
	u64 n;
	expect("OpenProtocol to test", BS->OpenProtocol(a, &one, NULL, image, NULL, TEST_PROTOCOL), SUCCESS);
	expect("OpenProtocol to test a missing one", BS->OpenProtocol(a, &absent, NULL, image, NULL, TEST_PROTOCOL), UNSUPPORTED);
	expect("OpenProtocol to get", BS->OpenProtocol(a, &one, &p, image, NULL, GET_PROTOCOL), SUCCESS);
	check("its interface", p == &face1);
	expect("OpenProtocol to get a missing one", BS->OpenProtocol(a, &absent, &p, image, NULL, GET_PROTOCOL), UNSUPPORTED);
	expect("OpenProtocol to nowhere", BS->OpenProtocol(a, &one, NULL, image, NULL, GET_PROTOCOL), INVALID_PARAMETER);
	expect("OpenProtocol without a handle", BS->OpenProtocol(NULL, &one, &p, image, NULL, GET_PROTOCOL), INVALID_PARAMETER);
	expect("OpenProtocol for nothing", BS->OpenProtocol(a, &one, &p, image, NULL, 0), INVALID_PARAMETER);
	expect("OpenProtocol of a bad attribute", BS->OpenProtocol(a, &one, &p, image, NULL, 0x40), INVALID_PARAMETER);
	expect("OpenProtocol by a driver without a controller", BS->OpenProtocol(a, &one, &p, image, NULL, BY_DRIVER), INVALID_PARAMETER);
	expect("OpenProtocol without an agent", BS->OpenProtocol(a, &one, &p, NULL, a, BY_DRIVER), INVALID_PARAMETER);
	expect("OpenProtocol for itself as a child", BS->OpenProtocol(a, &one, &p, image, a, BY_CHILD_CONTROLLER), INVALID_PARAMETER);

	expect("OpenProtocol by a driver", BS->OpenProtocol(a, &one, &p, image, a, BY_DRIVER), SUCCESS);
	expect("again", BS->OpenProtocol(a, &one, &p, image, a, BY_DRIVER), ALREADY_STARTED);
	expect("by another", BS->OpenProtocol(a, &one, &p, b, a, BY_DRIVER), ACCESS_DENIED);
	expect("by another, exclusive", BS->OpenProtocol(a, &one, &p, b, a, BY_DRIVER | EXCLUSIVE), ACCESS_DENIED);
	expect("exclusive, the driver cannot be stopped", BS->OpenProtocol(a, &one, &p, b, NULL, EXCLUSIVE), ACCESS_DENIED);
	expect("get does not mind", BS->OpenProtocol(a, &one, &p, b, NULL, GET_PROTOCOL), SUCCESS);
	expect("a child does not mind", BS->OpenProtocol(a, &one, &p, image, b, BY_CHILD_CONTROLLER), SUCCESS);
	expect("OpenProtocolInformation has the driver", openers(a, &one, BY_DRIVER), 1);
	expect("and the child", openers(a, &one, BY_CHILD_CONTROLLER), 1);
	expect("UninstallProtocolInterface of one in use", BS->UninstallProtocolInterface(a, &one, &face1), ACCESS_DENIED);
	expect("it is still there", BS->HandleProtocol(a, &one, &p), SUCCESS);
	expect("CloseProtocol", BS->CloseProtocol(a, &one, image, a), SUCCESS);
	expect("CloseProtocol again", BS->CloseProtocol(a, &one, image, a), NOT_FOUND);
	expect("CloseProtocol of a missing one", BS->CloseProtocol(a, &absent, image, a), NOT_FOUND);
	expect("CloseProtocol without an agent", BS->CloseProtocol(a, &one, NULL, a), INVALID_PARAMETER);
	expect("CloseProtocol of the child", BS->CloseProtocol(a, &one, image, b), SUCCESS);

	expect("OpenProtocol exclusive", BS->OpenProtocol(a, &two, &p, image, NULL, EXCLUSIVE), SUCCESS);
	expect("exclusive by another", BS->OpenProtocol(a, &two, &p, b, NULL, EXCLUSIVE), ACCESS_DENIED);
	expect("by another driver", BS->OpenProtocol(a, &two, &p, b, a, BY_DRIVER), ACCESS_DENIED);
	expect("CloseProtocol of exclusive", BS->CloseProtocol(a, &two, image, NULL), SUCCESS);
	expect("then by a driver, exclusive", BS->OpenProtocol(a, &two, &p, b, a, BY_DRIVER | EXCLUSIVE), SUCCESS);
	expect("then by a driver", BS->OpenProtocol(a, &two, &p, image, a, BY_DRIVER), ACCESS_DENIED);
	expect("CloseProtocol of that", BS->CloseProtocol(a, &two, b, a), SUCCESS);
	expect("OpenProtocolInformation of a missing one", BS->OpenProtocolInformation(a, &absent, &info, &n), NOT_FOUND);
}

static void locating(void)
{
	handle some[8], *list;
	u64 n = 0;
	void *p;
	expect("InstallProtocolInterface on both", BS->InstallProtocolInterface(&b, &one, 0, &face3), SUCCESS);
	expect("LocateHandle of size 0", BS->LocateHandle(ByProtocol, &one, NULL, &n, NULL), BUFFER_TOO_SMALL);
	expect("the size it wants", n, 2 * sizeof(handle));
	expect("LocateHandle", BS->LocateHandle(ByProtocol, &one, NULL, &n, some), SUCCESS);
	check("both, in the order they were made", some[0] == a && some[1] == b);
	n = sizeof some;
	expect("LocateHandle with room to spare", BS->LocateHandle(ByProtocol, &one, NULL, &n, some), SUCCESS);
	expect("the size it used", n, 2 * sizeof(handle));
	n = sizeof some;
	expect("LocateHandle of none", BS->LocateHandle(ByProtocol, &absent, NULL, &n, some), NOT_FOUND);
	expect("LocateHandle without a GUID", BS->LocateHandle(ByProtocol, NULL, NULL, &n, some), INVALID_PARAMETER);
	expect("LocateHandle without a key", BS->LocateHandle(ByRegisterNotify, NULL, NULL, &n, some), INVALID_PARAMETER);
	expect("LocateHandle of a bad kind", BS->LocateHandle(3, &one, NULL, &n, some), INVALID_PARAMETER);
	expect("LocateHandle without a size", BS->LocateHandle(ByProtocol, &one, NULL, NULL, some), INVALID_PARAMETER);
	n = sizeof some;
	expect("LocateHandle to nowhere", BS->LocateHandle(ByProtocol, &one, NULL, &n, NULL), INVALID_PARAMETER);

	if (expect("LocateHandleBuffer", BS->LocateHandleBuffer(ByProtocol, &one, NULL, &n, &list), SUCCESS)) {
		expect("how many", n, 2);
		check("which", list[0] == a && list[1] == b);
		expect("FreePool of the buffer", BS->FreePool(list), SUCCESS);
	}
	if (expect("LocateHandleBuffer of all", BS->LocateHandleBuffer(AllHandles, NULL, NULL, &n, &list), SUCCESS)) {
		u64 seen = 0;
		for (u64 i = 0; i < n; i++)
			seen += list[i] == a || list[i] == b || list[i] == image;
		expect("all has them once each", seen, 3);
		BS->FreePool(list);
	}
	list = (void *)&n;
	expect("LocateHandleBuffer of none", BS->LocateHandleBuffer(ByProtocol, &absent, NULL, &n, &list), NOT_FOUND);

	expect("LocateProtocol", BS->LocateProtocol(&two, NULL, &p), SUCCESS);
	check("its interface", p == &face2);
	expect("LocateProtocol of none", BS->LocateProtocol(&absent, NULL, &p), NOT_FOUND);
	check("its interface is NULL", p == NULL);
	expect("LocateProtocol without a GUID", BS->LocateProtocol(NULL, NULL, &p), INVALID_PARAMETER);
	expect("LocateProtocol to nowhere", BS->LocateProtocol(&one, NULL, NULL), INVALID_PARAMETER);
}

static u32 notified;

static void on_install(event e, void *context)
{
	(void)e;
	(void)context;
	notified++;
}

static void notifying(void)
{
	event e;
	void *key, *p;
	handle c = NULL, found;
	u64 n;
	BS->CreateEvent(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, on_install, NULL, &e);
	expect("RegisterProtocolNotify", BS->RegisterProtocolNotify(&three, e, &key), SUCCESS);
	expect("nothing has been installed yet", notified, 0);
	BS->InstallProtocolInterface(&c, &three, 0, &face1);
	expect("InstallProtocolInterface notifies", notified, 1);
	BS->InstallProtocolInterface(&a, &three, 0, &face2);
	expect("each time", notified, 2);
	n = sizeof found;
	expect("LocateHandle by notification", BS->LocateHandle(ByRegisterNotify, NULL, key, &n, &found), SUCCESS);
	check("what was there before comes first", found == b);
	n = sizeof found;
	expect("LocateHandle by notification again", BS->LocateHandle(ByRegisterNotify, NULL, key, &n, &found), SUCCESS);
	check("the first that is new", found == c);
	expect("LocateProtocol by notification", BS->LocateProtocol(&three, key, &p), SUCCESS);
	check("the second that is new", p == &face2);
	n = sizeof found;
	expect("LocateHandle when none is new", BS->LocateHandle(ByRegisterNotify, NULL, key, &n, &found), NOT_FOUND);

	expect("ReinstallProtocolInterface", BS->ReinstallProtocolInterface(c, &three, &face1, &face3), SUCCESS);
	expect("it notifies", notified, 3);
	BS->HandleProtocol(c, &three, &p);
	check("the interface is the new one", p == &face3);
	n = sizeof found;
	expect("LocateHandle after it", BS->LocateHandle(ByRegisterNotify, NULL, key, &n, &found), SUCCESS);
	check("the handle counts as new", found == c);
	expect("ReinstallProtocolInterface of another", BS->ReinstallProtocolInterface(c, &three, &face1, &face2), NOT_FOUND);
	BS->CloseEvent(e);
	BS->UninstallProtocolInterface(a, &three, &face2);
	expect("UninstallProtocolInterface of another interface", BS->UninstallProtocolInterface(c, &three, &face1), NOT_FOUND);
	expect("UninstallProtocolInterface of the last", BS->UninstallProtocolInterface(c, &three, &face3), SUCCESS);
	expect("the handle is gone", BS->HandleProtocol(c, &three, &p), INVALID_PARAMETER);
	expect("a closed event is not notified", notified, 3);
}

static u8 path_long[64], path_short[64], path_buffer[64];
static const guid media = {0x9d0f62c5, 0x71ba, 0x4f20, {0xa4, 0x8e, 0x5d, 0x1b, 0xc3, 0x70, 0x96, 0x2f}};
static u32 loads;

/* provide is a LoadFile2 of the kind that hands an initial RAM disk over. */
static status provide(struct load_file *this, void *path, u8 boot_policy, u64 *size, void *buffer)
{
	static const char data[] = "initrd";
	(void)this;
	loads++;
	if (boot_policy)
		return UNSUPPORTED;
	if (!path || !size || !is_end(path))
		return INVALID_PARAMETER;
	if (!buffer || *size < sizeof data) {
		*size = sizeof data;
		return BUFFER_TOO_SMALL;
	}
	*size = sizeof data;
	memcpy(buffer, data, sizeof data);
	return SUCCESS;
}

static void paths(void)
{
	static struct load_file provider = {provide};
	handle c = NULL, d = NULL, found = NULL;
	struct load_file *lf;
	u64 n = 0;
	char data[16];

	/* The path of c is one vendor media node (10.3.5.3); that of d goes one node further. */
	struct device_path *p = add_node((void *)path_short, 4, 3, sizeof media, &media);
	add_node(p, 0x7f, 0xff, 0, NULL);
	p = add_node((void *)path_long, 4, 3, sizeof media, &media);
	p = add_node(p, 4, 3, sizeof absent, &absent);
	add_node(p, 0x7f, 0xff, 0, NULL);

	p = (void *)path_short;
	expect("LocateDevicePath of none", BS->LocateDevicePath(&load_file2, &p, &found), NOT_FOUND);
	check("it leaves the path", (u8 *)p == path_short);
	expect("InstallMultiple of LoadFile2",
	       BS->InstallMultipleProtocolInterfaces(&c, &device_path, path_short, &load_file2, &provider, NULL), SUCCESS);
	expect("LocateDevicePath", BS->LocateDevicePath(&load_file2, &p, &found), SUCCESS);
	check("its handle", found == c);
	check("nothing of the path is left", is_end(p));
	p = (void *)path_long;
	expect("LocateDevicePath of a longer path", BS->LocateDevicePath(&load_file2, &p, &found), SUCCESS);
	check("its handle too", found == c);
	check("one node is left", (u8 *)p == path_long + 20);
	p = (void *)path_short;
	expect("LocateDevicePath of another protocol", BS->LocateDevicePath(&absent, &p, &found), NOT_FOUND);
	expect("LocateDevicePath without a path", BS->LocateDevicePath(&load_file2, NULL, &found), INVALID_PARAMETER);

	if (expect("HandleProtocol of LoadFile2", BS->HandleProtocol(c, &load_file2, (void **)&lf), SUCCESS)) {
		expect("LoadFile of size 0", lf->LoadFile(lf, p + 5, 0, &n, NULL), BUFFER_TOO_SMALL);
		expect("the size it wants", n, 7);
		expect("LoadFile", lf->LoadFile(lf, p + 5, 0, &n, data), SUCCESS);
		check("its data", n == 7 && same(data, "initrd", 7));
		expect("calls of the provider", loads, 2);
	}
	/* LoadImage takes the path to LoadFile2 too, and finds no image there. */
	loads = 0;
	check("LoadImage from the provider", is_error(BS->LoadImage(0, image, path_short, NULL, 0, &found)));
	expect("it has asked for the size and for the data", loads, 2);

	memcpy(path_buffer, path_long, sizeof path_long);
	expect("InstallMultiple of a longer path",
	       BS->InstallMultipleProtocolInterfaces(&d, &device_path, path_buffer, &load_file2, &provider, NULL), SUCCESS);
	p = (void *)path_long;
	expect("LocateDevicePath takes the longest match", BS->LocateDevicePath(&load_file2, &p, &found), SUCCESS);
	check("which is that handle", found == d && is_end(p));
	handle e = NULL;
	expect("InstallMultiple of a path that there is", BS->InstallMultipleProtocolInterfaces(&e, &device_path, path_long, NULL), ALREADY_STARTED);

	expect("UninstallMultiple that fails in its middle",
	       BS->UninstallMultipleProtocolInterfaces(d, &load_file2, &provider, &absent, NULL, NULL), INVALID_PARAMETER);
	expect("it has put back its first", BS->HandleProtocol(d, &load_file2, (void **)&lf), SUCCESS);
	expect("UninstallMultiple", BS->UninstallMultipleProtocolInterfaces(d, &device_path, path_buffer, &load_file2, &provider, NULL), SUCCESS);
	expect("UninstallMultiple of the first", BS->UninstallMultipleProtocolInterfaces(c, &device_path, path_short, &load_file2, &provider, NULL), SUCCESS);
	p = (void *)path_short;
	expect("LocateDevicePath of none any more", BS->LocateDevicePath(&load_file2, &p, &found), NOT_FOUND);
}

/* A driver for protocol one on handle a, and its answers. */
static u32 started, stopped;
static int stays;

static status supported(struct driver_binding *this, handle controller, void *path)
{
	void *p;
	(void)path;
	status s = BS->OpenProtocol(controller, &one, &p, this->DriverBindingHandle, controller, BY_DRIVER);
	if (s != SUCCESS)
		return s;
	BS->CloseProtocol(controller, &one, this->DriverBindingHandle, controller);
	return controller == a ? SUCCESS : UNSUPPORTED;
}

static status start(struct driver_binding *this, handle controller, void *path)
{
	void *p;
	(void)path;
	started++;
	return BS->OpenProtocol(controller, &one, &p, this->DriverBindingHandle, controller, BY_DRIVER);
}

static status stop(struct driver_binding *this, handle controller, u64 n, handle *children)
{
	(void)children;
	if (stays || n)
		return DEVICE_ERROR;
	stopped++;
	return BS->CloseProtocol(controller, &one, this->DriverBindingHandle, controller);
}

static void connecting(void)
{
	static struct driver_binding driver = {supported, start, stop, 0x10, 0, NULL, NULL};
	handle d = NULL;
	void *p;
	expect("ConnectController without a driver", BS->ConnectController(a, NULL, NULL, 0), NOT_FOUND);
	expect("InstallProtocolInterface of a driver", BS->InstallProtocolInterface(&d, &driver_binding, 0, &driver), SUCCESS);
	driver.ImageHandle = image;
	driver.DriverBindingHandle = d;
	expect("ConnectController", BS->ConnectController(a, NULL, NULL, 0), SUCCESS);
	expect("the driver has started", started, 1);
	expect("OpenProtocolInformation has it", openers(a, &one, BY_DRIVER), 1);
	expect("OpenProtocol exclusive stops the driver", BS->OpenProtocol(a, &one, &p, image, NULL, EXCLUSIVE), SUCCESS);
	expect("the driver has stopped", stopped, 1);
	expect("CloseProtocol", BS->CloseProtocol(a, &one, image, NULL), SUCCESS);
	BS->ConnectController(a, NULL, NULL, 1);
	expect("ConnectController starts it again", started, 2);
	expect("DisconnectController", BS->DisconnectController(a, NULL, NULL), SUCCESS);
	expect("stops it again", stopped, 2);
	expect("DisconnectController of none", BS->DisconnectController(a, NULL, NULL), SUCCESS);
	handle only[2] = {d, NULL};
	expect("ConnectController of one driver", BS->ConnectController(a, only, NULL, 0), SUCCESS);
	expect("DisconnectController of that driver", BS->DisconnectController(a, d, NULL), SUCCESS);
	BS->ConnectController(a, NULL, NULL, 0);
	stays = 1;
	expect("UninstallProtocolInterface when the driver stays", BS->UninstallProtocolInterface(a, &one, &face1), ACCESS_DENIED);
	stays = 0;
	expect("UninstallProtocolInterface stops the driver", BS->UninstallProtocolInterface(a, &one, &face1), SUCCESS);
	expect("it has stopped", stopped, 4);
	expect("ConnectController without a handle", BS->ConnectController(NULL, NULL, NULL, 0), INVALID_PARAMETER);
	expect("UninstallProtocolInterface of the driver", BS->UninstallProtocolInterface(d, &driver_binding, &driver), SUCCESS);
}

static struct configuration_table *table(void)
{
	for (u64 i = 0; i < ST->NumberOfTableEntries; i++)
		if (same(&ST->ConfigurationTable[i].VendorGuid, &media, sizeof media))
			return &ST->ConfigurationTable[i];
	return NULL;
}

static void tables(void)
{
	u64 n = ST->NumberOfTableEntries;
	expect("InstallConfigurationTable deletes none", BS->InstallConfigurationTable(&media, NULL), NOT_FOUND);
	expect("InstallConfigurationTable", BS->InstallConfigurationTable(&media, &face1), SUCCESS);
	check("it is there", table() && table()->VendorTable == &face1);
	expect("one more", ST->NumberOfTableEntries, n + 1);
	expect("InstallConfigurationTable again", BS->InstallConfigurationTable(&media, &face2), SUCCESS);
	check("it is the new one", table() && table()->VendorTable == &face2);
	expect("no more than that", ST->NumberOfTableEntries, n + 1);
	expect("InstallConfigurationTable deletes it", BS->InstallConfigurationTable(&media, NULL), SUCCESS);
	check("it is gone", !table() && ST->NumberOfTableEntries == n);
	expect("InstallConfigurationTable without a GUID", BS->InstallConfigurationTable(NULL, &face1), INVALID_PARAMETER);
}

status efi_main(handle h, struct system_table *st)
{
	void *p;
	begin(h, st);
	install();
	opening();
	locating();
	notifying();
	paths();
	connecting();
	tables();
	expect("UninstallMultiple of the rest", BS->UninstallMultipleProtocolInterfaces(b, &three, NULL, &one, &face3, NULL), SUCCESS);
	expect("UninstallProtocolInterface of the last", BS->UninstallProtocolInterface(a, &two, &face2), SUCCESS);
	expect("the handles are gone", BS->HandleProtocol(a, &two, &p), INVALID_PARAMETER);
	expect("both", BS->HandleProtocol(b, &one, &p), INVALID_PARAMETER);
	return finish("protocols");
}
