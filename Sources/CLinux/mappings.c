#define _GNU_SOURCE
#include "include/clinux_mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's description of its types (Documentation/bpf/btf.rst). */
struct types {
    char *file;
    size_t size;
    const char *names;
    size_t names_size;
    const struct btf_type **all;
    uint32_t count;
};

/* Kinds that the headers of Debian 12 may lack. */
enum { kind_enum64 = 19 };

static long bpf(int command, union bpf_attr *wanted)
{
    long result = syscall(SYS_bpf, command, wanted, sizeof *wanted);
    return result < 0 ? -errno : result;
}

static char *whole_file(const char *path, size_t *size)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    char *bytes = NULL;
    if (file >= 0 && !fstat(file, &status)) bytes = malloc((size_t)status.st_size);
    for (*size = 0; bytes && *size < (size_t)status.st_size;) {
        ssize_t count = read(file, bytes + *size, (size_t)status.st_size - *size);
        if (count <= 0) break;
        *size += (size_t)count;
    }
    if (file >= 0) close(file);
    return bytes;
}

/* What follows a type's head. */
static size_t tail_size(const struct btf_type *type)
{
    size_t count = BTF_INFO_VLEN(type->info);
    switch (BTF_INFO_KIND(type->info)) {
    case BTF_KIND_INT: case BTF_KIND_VAR: case BTF_KIND_DECL_TAG: return 4;
    case BTF_KIND_ARRAY: return sizeof(struct btf_array);
    case BTF_KIND_STRUCT: case BTF_KIND_UNION: return count * sizeof(struct btf_member);
    case BTF_KIND_ENUM: return count * sizeof(struct btf_enum);
    case kind_enum64: return count * 12;
    case BTF_KIND_FUNC_PROTO: return count * sizeof(struct btf_param);
    case BTF_KIND_DATASEC: return count * sizeof(struct btf_var_secinfo);
    default: return 0;
    }
}

static int read_types(struct types *types)
{
    types->file = whole_file("/sys/kernel/btf/vmlinux", &types->size);
    const struct btf_header *head = (void *)types->file;
    if (!head || types->size < sizeof *head || head->magic != BTF_MAGIC) return 0;
    uint64_t first = (uint64_t)head->hdr_len + head->type_off, end = first + head->type_len;
    uint64_t names = (uint64_t)head->hdr_len + head->str_off;
    if (end > types->size || first % 4 || names >= types->size || !head->str_len ||
        names + head->str_len > types->size || types->file[names + head->str_len - 1])
        return 0;
    types->names = types->file + names;
    types->names_size = head->str_len;
    /* A type's head is 12 bytes; number 0 is `void`. */
    types->all = calloc(head->type_len / sizeof(struct btf_type) + 2, sizeof *types->all);
    types->count = 1;
    while (types->all && first + sizeof(struct btf_type) <= end) {
        const struct btf_type *type = (void *)(types->file + first);
        first += sizeof *type + tail_size(type);
        if (first > end) return 0;
        types->all[types->count++] = type;
    }
    return types->all && first == end;
}

static int is_named(const struct types *types, uint32_t place, const char *name)
{
    return place < types->names_size && !strcmp(types->names + place, name);
}

static uint32_t find(const struct types *types, uint32_t kind, const char *name)
{
    for (uint32_t number = 1; number < types->count; number++) {
        const struct btf_type *type = types->all[number];
        if (BTF_INFO_KIND(type->info) == kind && is_named(types, type->name_off, name))
            return number;
    }
    return 0;
}

/* Where a member lies, also in nameless structures within; -1 if it is not there. */
static int member(
    const struct types *types, uint32_t number, const char *name, int base, int depth)
{
    if (!number || number >= types->count || depth > 8) return -1;
    const struct btf_type *type = types->all[number];
    uint32_t kind = BTF_INFO_KIND(type->info);
    if (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION) return -1;
    const struct btf_member *members = (void *)(type + 1);
    for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
        uint32_t bits = BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(members[i].offset)
                                                   : members[i].offset;
        int place = base + (int)(bits / 8);
        if (is_named(types, members[i].name_off, name)) return place;
        int within = is_named(types, members[i].name_off, "")
            ? member(types, members[i].type, name, place, depth + 1) : -1;
        if (within >= 0) return within;
    }
    return -1;
}

#define MOVE(to, from) {BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0}
#define SET(to, value) {BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value}
#define LOAD(to, from, offset) {BPF_LDX | BPF_MEM | BPF_DW, to, from, (short)(offset), 0}
#define STORE(to, offset, from) {BPF_STX | BPF_MEM | BPF_DW, to, from, (short)(offset), 0}

/* if (context->vma) bpf_seq_write(context->meta->seq, &(struct godwit_mapping){...}, 24); */
static long load(const struct types *types, uint32_t iterator, uint32_t mapping)
{
    int start = member(types, mapping, "vm_start", 0, 0);
    int end = member(types, mapping, "vm_end", 0, 0);
    int flags = member(types, mapping, "vm_flags", 0, 0);
    if (start < 0 || end < 0 || flags < 0 || start > 4096 || end > 4096 || flags > 4096)
        return -EOPNOTSUPP;
    struct bpf_insn program[] = {
        MOVE(6, 1), LOAD(7, 6, 16), {BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 12, 0},
        LOAD(1, 7, start), STORE(10, -24, 1), LOAD(1, 7, end), STORE(10, -16, 1),
        LOAD(1, 7, flags), STORE(10, -8, 1), LOAD(1, 6, 0), LOAD(1, 1, 0),
        MOVE(2, 10), {BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -24}, SET(3, 24),
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write},
        SET(0, 0), {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    union bpf_attr wanted = {0};
    wanted.prog_type = BPF_PROG_TYPE_TRACING;
    wanted.expected_attach_type = BPF_TRACE_ITER;
    wanted.attach_btf_id = iterator;
    wanted.insns = (uintptr_t)program;
    wanted.insn_cnt = sizeof program / sizeof *program;
    wanted.license = (uintptr_t)"Dual MIT/GPL";
    return bpf(BPF_PROG_LOAD, &wanted);
}

int godwit_mappings_program(void)
{
    struct types types = {0};
    long result = -EOPNOTSUPP;
    if (read_types(&types)) {
        uint32_t iterator = find(&types, BTF_KIND_FUNC, "bpf_iter_task_vma");
        uint32_t mapping = find(&types, BTF_KIND_STRUCT, "vm_area_struct");
        if (iterator && mapping) result = load(&types, iterator, mapping);
    }
    free(types.all);
    free(types.file);
    return (int)result;
}

int godwit_mappings_open(int program, pid_t pid)
{
    union bpf_iter_link_info process = {0};
    process.task.tid = (uint32_t)pid;
    union bpf_attr wanted = {0};
    wanted.link_create.prog_fd = (uint32_t)program;
    wanted.link_create.attach_type = BPF_TRACE_ITER;
    wanted.link_create.iter_info = (uintptr_t)&process;
    wanted.link_create.iter_info_len = sizeof process;
    long link = bpf(BPF_LINK_CREATE, &wanted);
    if (link < 0) return (int)link;
    memset(&wanted, 0, sizeof wanted);
    wanted.iter_create.link_fd = (uint32_t)link;
    long result = bpf(BPF_ITER_CREATE, &wanted);
    close((int)link);
    return (int)result;
}
