// SPDX-License-Identifier: BSD-3-Clause

// Runs a job in Unicorn: unicorn x86|aa64 ELF JOB STACK GATE MEMORY INPUT SIZE < INPUT > RESULT
// The numbers are addresses in hexadecimal: of the job's function, the top of its
// stack, what it returns to, its memory and its input. Size is that of the guest's
// RAM, which begins where the ELF file does.

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

static void check(const char *what, uc_err err)
{
	if (err != UC_ERR_OK) {
		fprintf(stderr, "unicorn: %s: %s\n", what, uc_strerror(err));
		exit(1);
	}
}

static uint8_t *slurp(FILE *f, size_t *n)
{
	size_t room = 64 << 20;
	uint8_t *data = f != NULL ? malloc(room) : NULL;
	*n = data != NULL ? fread(data, 1, room, f) : 0;
	if (data == NULL || ferror(f)) {
		fprintf(stderr, "unicorn: cannot read\n");
		exit(1);
	}
	return data;
}

int main(int argc, char **argv)
{
	if (argc != 9)
		return 2;
	uint64_t a[9], size, result;
	for (int i = 3; i < 9; i++)
		a[i] = strtoull(argv[i], NULL, 16);
	uint64_t job = a[3], stack = a[4], gate = a[5], memory = a[6], input = a[7];
	size = a[8];

	int x86 = strcmp(argv[1], "x86") == 0;
	uc_engine *uc;
	check("open", x86 ? uc_open(UC_ARCH_X86, UC_MODE_64, &uc) : uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &uc));

	size_t n;
	uint8_t *elf = slurp(fopen(argv[2], "rb"), &n);
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)elf;
	const Elf64_Phdr *parts = (const Elf64_Phdr *)(elf + head->e_phoff);
	check("map", uc_mem_map(uc, parts[0].p_vaddr & ~0xfffull, size, UC_PROT_ALL));
	for (int i = 0; i < head->e_phnum; i++)
		if (parts[i].p_type == PT_LOAD)
			check("load", uc_mem_write(uc, parts[i].p_vaddr, elf + parts[i].p_offset, parts[i].p_filesz));
	uint8_t *in = slurp(stdin, &n);
	check("input", uc_mem_write(uc, input, in, n));

	uint64_t count = n;
	if (x86) {
		stack -= 8;
		check("stack", uc_mem_write(uc, stack, &gate, 8));
		uc_reg_write(uc, UC_X86_REG_RSP, &stack);
		uc_reg_write(uc, UC_X86_REG_RDI, &input);
		uc_reg_write(uc, UC_X86_REG_RSI, &count);
		uc_reg_write(uc, UC_X86_REG_RDX, &memory);
	} else {
		uint64_t cpacr = 3 << 20; // vector instructions do not trap
		uc_reg_write(uc, UC_ARM64_REG_CPACR_EL1, &cpacr);
		uc_reg_write(uc, UC_ARM64_REG_SP, &stack);
		uc_reg_write(uc, UC_ARM64_REG_X30, &gate);
		uc_reg_write(uc, UC_ARM64_REG_X0, &input);
		uc_reg_write(uc, UC_ARM64_REG_X1, &count);
		uc_reg_write(uc, UC_ARM64_REG_X2, &memory);
	}
	check("run", uc_emu_start(uc, job, gate, 0, 0));
	check("result", uc_reg_read(uc, x86 ? UC_X86_REG_RAX : UC_ARM64_REG_X0, &result));
	fwrite(&result, sizeof result, 1, stdout);
	return fflush(stdout) != 0;
}
