/// A program that writes to exactly those pages of its memory that it is told, and stands in
/// between.
package enum WriterProgram {
    package static func build(at path: String) async throws { try await compile(writer, to: path) }

    /// Arguments: mebibytes, and `huge` or `small` for the pages that the kernel is asked for.
    /// Fills its memory and says its address in 16 digits; then it reads a count and as many page
    /// numbers, all of 32 bits, changes these pages and says a point, again and again.
    private static let writer = #"""
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/mman.h>

        enum { page = 4096, huge_page = 2 << 20 };

        int main(int count, char **words) {
            if (count != 3) return 1;
            size_t size = strtoul(words[1], NULL, 10) << 20;
            char *area = mmap(NULL, size + huge_page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (area == MAP_FAILED) return 1;
            area = (char *)(((uintptr_t)area + huge_page - 1) / huge_page * huge_page);
            madvise(area, size, words[2][0] == 'h' ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
            for (size_t i = 0; i < size / page; i++) *(uint64_t *)(area + i * page) = i + 1;
            printf("%016lx", (unsigned long)(uintptr_t)area);
            fflush(stdout);
            static uint32_t numbers[1 << 20];
            uint32_t told;
            while (fread(&told, sizeof told, 1, stdin) == 1) {
                if (told > 1 << 20 || fread(numbers, sizeof *numbers, told, stdin) != told)
                    return 1;
                for (uint32_t i = 0; i < told; i++)
                    ++*(uint64_t *)(area + (size_t)numbers[i] * page + 8);
                putchar('.');
                fflush(stdout);
            }
            return 0;
        }
        """#
}
