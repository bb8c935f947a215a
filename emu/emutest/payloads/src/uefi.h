/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * The part of UEFI 2.10 that the payloads use: types, status codes, tables and
 * protocols, written from the specification. Members have the specification's
 * names; types have short ones. Built for the windows targets of clang, whose
 * calling convention is the one that UEFI asks for on x86-64 and AArch64.
 */

#ifndef UEFI_H
#define UEFI_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef short i16;
typedef u16 char16;
typedef u64 status;
typedef u64 tpl;
typedef void *handle;
typedef void *event;

#define NULL ((void *)0)

typedef struct {
	u32 a;
	u16 b, c;
	u8 d[8];
} guid;

/* Status codes (appendix D). */
#define ERROR_BIT (1ULL << 63)
#define SUCCESS 0ULL
#define LOAD_ERROR (ERROR_BIT | 1)
#define INVALID_PARAMETER (ERROR_BIT | 2)
#define UNSUPPORTED (ERROR_BIT | 3)
#define BUFFER_TOO_SMALL (ERROR_BIT | 5)
#define NOT_READY (ERROR_BIT | 6)
#define DEVICE_ERROR (ERROR_BIT | 7)
#define WRITE_PROTECTED (ERROR_BIT | 8)
#define OUT_OF_RESOURCES (ERROR_BIT | 9)
#define NOT_FOUND (ERROR_BIT | 14)
#define ACCESS_DENIED (ERROR_BIT | 15)
#define ALREADY_STARTED (ERROR_BIT | 20)
#define ABORTED (ERROR_BIT | 21)
#define SECURITY_VIOLATION (ERROR_BIT | 26)

/* Task priority levels (7.1). */
enum { TPL_APPLICATION = 4, TPL_CALLBACK = 8, TPL_NOTIFY = 16, TPL_HIGH_LEVEL = 31 };

/* Event types (7.1.1) and timer types (7.1.7). */
#define EVT_TIMER 0x80000000u
#define EVT_RUNTIME 0x40000000u
#define EVT_NOTIFY_WAIT 0x00000100u
#define EVT_NOTIFY_SIGNAL 0x00000200u
#define EVT_SIGNAL_EXIT_BOOT_SERVICES 0x00000201u
enum { TimerCancel, TimerPeriodic, TimerRelative };

/* Memory (7.2). */
enum { AllocateAnyPages, AllocateMaxAddress, AllocateAddress };
enum {
	ReservedMemoryType, LoaderCode, LoaderData, BootServicesCode, BootServicesData,
	RuntimeServicesCode, RuntimeServicesData, ConventionalMemory, UnusableMemory,
	ACPIReclaimMemory, ACPIMemoryNVS, MemoryMappedIO, MemoryMappedIOPortSpace,
	PalCode, PersistentMemory, UnacceptedMemoryType, MaxMemoryType
};
#define PAGE 4096ULL

struct memory_descriptor {
	u32 Type, Pad;
	u64 PhysicalStart, VirtualStart, NumberOfPages, Attribute;
};

/* LocateHandle search types (7.3.15) and OpenProtocol attributes (7.3.9). */
enum { AllHandles, ByRegisterNotify, ByProtocol };
#define BY_HANDLE_PROTOCOL 0x01u
#define GET_PROTOCOL 0x02u
#define TEST_PROTOCOL 0x04u
#define BY_CHILD_CONTROLLER 0x08u
#define BY_DRIVER 0x10u
#define EXCLUSIVE 0x20u

/* Variable attributes (8.2). */
#define NON_VOLATILE 0x01u
#define BOOTSERVICE_ACCESS 0x02u
#define RUNTIME_ACCESS 0x04u
#define APPEND_WRITE 0x40u

struct table_header {
	u64 Signature;
	u32 Revision, HeaderSize, CRC32, Reserved;
};

struct time {
	u16 Year;
	u8 Month, Day, Hour, Minute, Second, Pad1;
	u32 Nanosecond;
	i16 TimeZone;
	u8 Daylight, Pad2;
};

/* A node of a device path (10.2); Length counts these four bytes too. */
struct device_path {
	u8 Type, SubType, Length[2];
};

struct open_protocol_information {
	handle AgentHandle, ControllerHandle;
	u32 Attributes, OpenCount;
};

typedef void notify(event, void *context);

/* Boot services (4.4), every slot in its order. */
struct boot_services {
	struct table_header Hdr;
	tpl (*RaiseTPL)(tpl);
	void (*RestoreTPL)(tpl);
	status (*AllocatePages)(u32 type, u32 memory, u64 pages, u64 *address);
	status (*FreePages)(u64 address, u64 pages);
	status (*GetMemoryMap)(u64 *size, void *map, u64 *key, u64 *descriptor_size, u32 *version);
	status (*AllocatePool)(u32 type, u64 size, void **);
	status (*FreePool)(void *);
	status (*CreateEvent)(u32 type, tpl, notify *, void *context, event *);
	status (*SetTimer)(event, u32 type, u64 trigger);
	status (*WaitForEvent)(u64 n, event *, u64 *index);
	status (*SignalEvent)(event);
	status (*CloseEvent)(event);
	status (*CheckEvent)(event);
	status (*InstallProtocolInterface)(handle *, const guid *, u32 type, void *interface);
	status (*ReinstallProtocolInterface)(handle, const guid *, void *old, void *new);
	status (*UninstallProtocolInterface)(handle, const guid *, void *interface);
	status (*HandleProtocol)(handle, const guid *, void **interface);
	void *Reserved;
	status (*RegisterProtocolNotify)(const guid *, event, void **registration);
	status (*LocateHandle)(u32 search, const guid *, void *key, u64 *size, handle *);
	status (*LocateDevicePath)(const guid *, struct device_path **, handle *);
	status (*InstallConfigurationTable)(const guid *, void *table);
	status (*LoadImage)(u8 boot_policy, handle parent, void *path, void *source, u64 size, handle *);
	status (*StartImage)(handle, u64 *exit_size, char16 **exit_data);
	status (*Exit)(handle, status, u64 exit_size, char16 *exit_data);
	status (*UnloadImage)(handle);
	status (*ExitBootServices)(handle, u64 key);
	status (*GetNextMonotonicCount)(u64 *);
	status (*Stall)(u64 microseconds);
	status (*SetWatchdogTimer)(u64 seconds, u64 code, u64 size, char16 *data);
	status (*ConnectController)(handle, handle *drivers, void *path, u8 recursive);
	status (*DisconnectController)(handle, handle driver, handle child);
	status (*OpenProtocol)(handle, const guid *, void **interface, handle agent, handle controller, u32 attributes);
	status (*CloseProtocol)(handle, const guid *, handle agent, handle controller);
	status (*OpenProtocolInformation)(handle, const guid *, struct open_protocol_information **, u64 *n);
	status (*ProtocolsPerHandle)(handle, guid ***, u64 *n);
	status (*LocateHandleBuffer)(u32 search, const guid *, void *key, u64 *n, handle **);
	status (*LocateProtocol)(const guid *, void *registration, void **interface);
	status (*InstallMultipleProtocolInterfaces)(handle *, ...);
	status (*UninstallMultipleProtocolInterfaces)(handle, ...);
	status (*CalculateCrc32)(void *, u64 size, u32 *crc);
	void (*CopyMem)(void *to, void *from, u64 size);
	void (*SetMem)(void *, u64 size, u8 value);
	status (*CreateEventEx)(u32 type, tpl, notify *, const void *context, const guid *group, event *);
};

/* Runtime services (4.5), every slot in its order. */
struct runtime_services {
	struct table_header Hdr;
	status (*GetTime)(struct time *, void *capabilities);
	status (*SetTime)(struct time *);
	status (*GetWakeupTime)(u8 *enabled, u8 *pending, struct time *);
	status (*SetWakeupTime)(u8 enable, struct time *);
	status (*SetVirtualAddressMap)(u64 size, u64 descriptor_size, u32 version, void *map);
	status (*ConvertPointer)(u64 disposition, void **);
	status (*GetVariable)(const char16 *, const guid *, u32 *attributes, u64 *size, void *);
	status (*GetNextVariableName)(u64 *size, char16 *, guid *);
	status (*SetVariable)(const char16 *, const guid *, u32 attributes, u64 size, const void *);
	status (*GetNextHighMonotonicCount)(u32 *);
	void (*ResetSystem)(u32 type, status, u64 size, void *data);
	status (*UpdateCapsule)(void **headers, u64 n, u64 list);
	status (*QueryCapsuleCapabilities)(void **headers, u64 n, u64 *size, u32 *reset);
	status (*QueryVariableInfo)(u32 attributes, u64 *total, u64 *remaining, u64 *largest);
};

/* Consoles (12.3, 12.4). */
struct text_input {
	status (*Reset)(struct text_input *, u8 extended);
	status (*ReadKeyStroke)(struct text_input *, void *key);
	event WaitForKey;
};

struct text_output {
	status (*Reset)(struct text_output *, u8 extended);
	status (*OutputString)(struct text_output *, const char16 *);
	status (*TestString)(struct text_output *, const char16 *);
	status (*QueryMode)(struct text_output *, u64 mode, u64 *columns, u64 *rows);
	status (*SetMode)(struct text_output *, u64 mode);
	status (*SetAttribute)(struct text_output *, u64 attribute);
	status (*ClearScreen)(struct text_output *);
	status (*SetCursorPosition)(struct text_output *, u64 column, u64 row);
	status (*EnableCursor)(struct text_output *, u8 visible);
	void *Mode;
};

struct configuration_table {
	guid VendorGuid;
	void *VendorTable;
};

struct system_table {
	struct table_header Hdr;
	char16 *FirmwareVendor;
	u32 FirmwareRevision, Pad;
	handle ConsoleInHandle;
	struct text_input *ConIn;
	handle ConsoleOutHandle;
	struct text_output *ConOut;
	handle StandardErrorHandle;
	struct text_output *StdErr;
	struct runtime_services *RuntimeServices;
	struct boot_services *BootServices;
	u64 NumberOfTableEntries;
	struct configuration_table *ConfigurationTable;
};

/* Loaded image (9.1). */
struct loaded_image {
	u32 Revision, Pad;
	handle ParentHandle;
	struct system_table *SystemTable;
	handle DeviceHandle;
	struct device_path *FilePath;
	void *Reserved;
	u32 LoadOptionsSize, Pad2;
	void *LoadOptions;
	void *ImageBase;
	u64 ImageSize;
	u32 ImageCodeType, ImageDataType;
	status (*Unload)(handle);
};

/* Files (13.4, 13.5). */
struct file {
	u64 Revision;
	status (*Open)(struct file *, struct file **, const char16 *, u64 mode, u64 attributes);
	status (*Close)(struct file *);
	status (*Delete)(struct file *);
	status (*Read)(struct file *, u64 *size, void *);
	status (*Write)(struct file *, u64 *size, const void *);
	status (*GetPosition)(struct file *, u64 *);
	status (*SetPosition)(struct file *, u64);
	status (*GetInfo)(struct file *, const guid *, u64 *size, void *);
	status (*SetInfo)(struct file *, const guid *, u64 size, const void *);
	status (*Flush)(struct file *);
};
#define MODE_READ 1ULL
#define MODE_WRITE 2ULL
#define MODE_CREATE (1ULL << 63)
#define FILE_READ_ONLY 0x01ULL
#define FILE_DIRECTORY 0x10ULL

struct file_system {
	u64 Revision;
	status (*OpenVolume)(struct file_system *, struct file **);
};

struct file_info {
	u64 Size, FileSize, PhysicalSize;
	struct time CreateTime, LastAccessTime, ModificationTime;
	u64 Attribute;
	char16 FileName[];
};

struct file_system_info {
	u64 Size;
	u8 ReadOnly, Pad[7];
	u64 VolumeSize, FreeSpace;
	u32 BlockSize;
	char16 VolumeLabel[];
};

/* LoadFile2 (13.2), random numbers (37.5), driver binding (11.1). */
struct load_file {
	status (*LoadFile)(struct load_file *, void *path, u8 boot_policy, u64 *size, void *);
};

struct rng {
	status (*GetInfo)(struct rng *, u64 *size, guid *algorithms);
	status (*GetRNG)(struct rng *, const guid *algorithm, u64 size, u8 *);
};

struct driver_binding {
	status (*Supported)(struct driver_binding *, handle controller, void *path);
	status (*Start)(struct driver_binding *, handle controller, void *path);
	status (*Stop)(struct driver_binding *, handle controller, u64 n, handle *children);
	u32 Version, Pad;
	handle ImageHandle, DriverBindingHandle;
};

#define LOADED_IMAGE_GUID {0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define DEVICE_PATH_GUID {0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define FILE_INFO_GUID {0x09576e92, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define FILE_SYSTEM_INFO_GUID {0x09576e93, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define FILE_SYSTEM_GUID {0x964e5b22, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}}
#define LOAD_FILE2_GUID {0x4006c0c1, 0xfcb3, 0x403e, {0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d}}
#define RNG_GUID {0x3152bca5, 0xeade, 0x433d, {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}}
#define DRIVER_BINDING_GUID {0x18a031ab, 0xb443, 0x4d1a, {0xa5, 0xc0, 0x0c, 0x09, 0x26, 0x1e, 0x9f, 0x71}}
#define EVENT_GROUP_EXIT_BOOT_SERVICES {0x27abf055, 0xb1b8, 0x4c26, {0x80, 0x48, 0x74, 0x8f, 0x37, 0xba, 0xa2, 0xdf}}

#endif
