extension OracleProgram {
    /// Parts that race, share memory, map files, ask for huge pages or lock memory.
    static let sharing = #"""
        /* One thread unmaps what another moves something to, at the same moment. */
        enum { race_pairs = 256, race_pages = 4 };
        static struct region *race_zone;
        static _Atomic int race_turn, race_done;

        static void *racer(void *nothing) {
            for (int seen = 0;;) {
                while (race_turn == seen) { if (!race_done) nap(500); }
                seen = race_turn;
                char *left = race_zone->at + (size_t)(seen % race_pairs) * 2 * race_pages * page;
                for (uint32_t i = chance(200); i > 0; i--)
                    atomic_signal_fence(memory_order_seq_cst);
                if (munmap(left, race_pages * page) < 0) die("munmap in a race");
                race_done = 2;
            }
            return nothing;
        }
        static void race(int pair) {
            uint32_t left = (uint32_t)pair * 2 * race_pages, right = left + race_pages;
            struct region *r = race_zone;
            race_done = 1;
            race_turn = race_turn / race_pairs * race_pairs + race_pairs + pair;
            void *made = mremap(r->at + (size_t)right * page, race_pages * page, race_pages * page,
                                MREMAP_MAYMOVE | MREMAP_FIXED, r->at + (size_t)left * page);
            while (race_done != 2) {}
            race_done = 0;
            if (made == MAP_FAILED) die("mremap in a race");
            /* Whichever came last has its way. */
            int stays = is_mapped(r->at + (size_t)left * page);
            for (uint32_t i = 0; i < race_pages; i++) {
                if (stays) r->metas[left + i] = r->metas[right + i];
                else renew(r->metas + left + i, gone);
                renew(r->metas + right + i, gone);
            }
            /* The right side returns anew; the left keeps what it got, to be found wrong or not. */
            uint32_t again = stays ? right : left;
            map_at(r->at + (size_t)again * page, stays ? race_pages : 2 * race_pages);
            for (uint32_t n = again; n < right + race_pages; n++) {
                renew(r->metas + n, opened);
                write_page(r, n);
            }
        }
        static void race_step(void) {
            static double last;
            static int next;
            double now = wall();
            /* After a pause this may be another host, where memory is still on its way. */
            int count = last && now - last > 0.06 ? race_pairs : 2;
            while (count-- > 0) race(next++ % race_pairs);
            write_main_region();
            last = wall();
        }
        static void part_race(void) {
            map_at(window(40), race_pairs * 2 * race_pages);
            race_zone = add_region("race", window(40), race_pairs * 2 * race_pages, 0, opened);
            write_all(race_zone);
            main_region = private_region("beside the race", 8192);
            start(racer, NULL);
            live(race_step, 3000);
        }

        /* Two tasks see the same memory and write to its pages by turns. */
        static struct region *joint;
        static uint64_t digest_of_joint(void) {
            uint64_t digest = 0;
            const uint64_t *at = (const uint64_t *)joint->at;
            for (size_t i = 0; i < (size_t)joint->pages * words; i++) digest = mix(digest ^ at[i]);
            me->pair = 77;
            me->digest = digest;
            return 0;
        }
        static void joint_step(void) { write_some(joint, 4); write_main_region(); }
        static void part_shared(void) {
            main_region = private_region("beside shared", 512);
            char *at = map(1024, MAP_SHARED);
            int pid = new_task("sharing child");
            if (pid < 0) die("fork");
            if (pid == 0) main_region = private_region("beside shared in the child", 256);
            joint = add_region("shared", at, 1024, 1, opened);
            joint->stride = 2;
            joint->first = pid == 0;
            write_all(joint);
            extra_check = digest_of_joint;
            live(joint_step, 3000);
        }

        /* A file mapped shared, private, and shared again beneath the private mapping. */
        static int mapped_file;
        static struct region *file_shared, *file_private, *file_beneath;
        static struct region *map_file(
            const char *name, int flags, uint32_t pages, int half, struct region *beneath)
        {
            char *at = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, flags, mapped_file,
                            half * (off_t)pages * page);
            if (at == MAP_FAILED) die("mmap of a file");
            struct region *r = add_region(name, at, pages, flags == MAP_SHARED, opened);
            if (beneath) {
                memcpy(r->metas, beneath->metas, pages * sizeof *r->metas);
                r->salt = beneath->salt;
            }
            return r;
        }
        static uint64_t compare_with_file(void) {
            uint64_t wrong = 0;
            char content[page];
            struct region *both[] = {file_shared, file_beneath};
            for (uint32_t half = 0; half < 2; half++)
                for (uint32_t n = 0; n < both[half]->pages; n++) {
                    off_t place = ((off_t)half * both[half]->pages + n) * page;
                    ssize_t count = pread(mapped_file, content, page, place);
                    const char *at = both[half]->at + (size_t)n * page;
                    if (count == page && !memcmp(content, at, page)) continue;
                    if (wrong++ < 5) say("page %u of the file is not as it is mapped", n);
                }
            return wrong;
        }
        static void file_step(void) {
            write_some(file_shared, 3);
            write_some(file_private, 2);
            write_main_region();
        }
        static void part_mapped(int file, uint32_t pages) {
            if (file < 0 || ftruncate(file, 2 * (off_t)pages * page) < 0) die("make a file");
            mapped_file = file;
            main_region = private_region("beside a file", 512);
            file_shared = map_file("file, shared", MAP_SHARED, pages, 0, NULL);
            file_beneath = map_file("file, beneath", MAP_SHARED, pages, 1, NULL);
            for (uint32_t n = 0; n < pages; n++) {
                if (n % 3) write_page(file_shared, n);
                if (n % 5) write_page(file_beneath, n);
            }
            file_private = map_file("file, private", MAP_PRIVATE, pages, 1, file_beneath);
            extra_check = compare_with_file;
            live(file_step, 3000);
        }
        static void part_memfd(void) { part_mapped(memfd_create("oracle", MFD_CLOEXEC), 512); }
        static void part_file(void) {
            part_mapped(open("/oracle-data", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 384);
        }

        static struct region *huge;
        static void huge_step(void) {
            write_some(huge, 4);
            if (chance(40) == 0) {
                uint32_t from = chance(huge->pages - 40), count = 1 + chance(40);
                char *at = huge->at + (size_t)from * page;
                if (madvise(at, count * (size_t)page, MADV_DONTNEED) < 0) die("madvise");
                fresh(huge, from, count, opened);
            }
        }
        static void part_huge(void) {
            char *at = window(44);
            map_at(at, 12 * 512);
            if (madvise(at, 12 * 512 * (size_t)page, MADV_HUGEPAGE) < 0) die("MADV_HUGEPAGE");
            huge = add_region("transparent huge pages", at, 12 * 512, 0, opened);
            for (uint32_t n = 0; n < huge->pages; n++)
                if (n / 512 % 3 == 0 || n % 64 == 0) write_page(huge, n);
            main_region = private_region("beside huge pages", 256);
            start(thread_life, main_region);
            live(huge_step, 3000);
        }
        static void part_hugetlb(void) {
            main_region = private_region("beside hugetlb", 256);
            char *at = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
            if (at == MAP_FAILED) die("mmap of huge pages");
            main_region = add_region("hugetlb", at, 2048, 0, opened);
            write_all(main_region);
            live(write_main_region, 3000);
        }

        static struct region *locked, *locked_lazily, *at_times_locked;
        static int is_locked;
        /* Whether the mapping at the address has one of the flags of proc_pid_smaps(5). */
        static int has_flag(const void *at, const char *flag) {
            FILE *file = fopen("/proc/self/smaps", "r");
            char line[400];
            int is_there = 0, found = -1;
            while (file && found < 0 && fgets(line, sizeof line, file)) {
                unsigned long start, end;
                if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
                    is_there = start <= (uintptr_t)at && (uintptr_t)at < end;
                if (is_there && !strncmp(line, "VmFlags:", 8))
                    found = strstr(line + 8, flag) != NULL;
            }
            if (file) fclose(file);
            return found;
        }
        static uint64_t compare_locks(void) {
            struct region *all[] = {locked, locked_lazily, at_times_locked};
            uint64_t wrong = 0;
            for (int i = 0; i < 3; i++)
                for (uint32_t n = 0; n < all[i]->pages; n += all[i]->pages - 1) {
                    int expected = i < 2 || is_locked;
                    if (has_flag(all[i]->at + (size_t)n * page, " lo") == expected) continue;
                    say("%s page %u is%s locked", all[i]->name, n, expected ? " not" : "");
                    wrong++;
                }
            return wrong;
        }
        static void locked_step(void) {
            write_some(locked, 2);
            write_some(locked_lazily, 2);
            write_some(at_times_locked, 4);
            if (chance(10)) return;
            size_t size = at_times_locked->pages * (size_t)page;
            if (is_locked ? munlock(at_times_locked->at, size) : mlock(at_times_locked->at, size))
                die("mlock");
            is_locked = !is_locked;
        }
        static void part_locked(void) {
            /* CRIU forgets a lock where the parent has an equal mapping at the same place. */
            map_at(window(45), 256);
            locked = add_region("locked", window(45), 256, 0, opened);
            write_all(locked);
            locked_lazily = add_region("locked on fault", map(256, MAP_PRIVATE), 256, 0, opened);
            at_times_locked = private_region("locked at times", 256);
            if (mlock(locked->at, 256 * page)) die("mlock");
            if (mlock2(locked_lazily->at, 256 * page, MLOCK_ONFAULT)) die("mlock2");
            for (uint32_t n = 0; n < 256; n += 2) write_page(locked_lazily, n);
            main_region = private_region("beside locked", 512);
            start(thread_life, main_region);
            extra_check = compare_locks;
            live(locked_step, 4000);
        }
        """#
}
