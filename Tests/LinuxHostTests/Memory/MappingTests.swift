import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite struct MappingTests {
    @Test func `lines of maps are told apart`() throws {
        let heap = try #require(
            Mapping(line: "55d0a000-55d0c000 rw-p 00000000 00:00 0       [heap]"))
        #expect(heap.range == 0x55d0_a000..<0x55d0_c000)
        #expect(heap.isPrivate && heap.isAnonymous && heap.isLazilyRestorable)
        let shared = try #require(Mapping(line: "7f00-7f10 rw-s 00000000 00:01 1032 /dev/zero"))
        #expect(!shared.isPrivate && !shared.isAnonymous && !shared.mayBeLazilyRestorable)
        for line in ["", "Size: 4 kB", "7f00-7e00 rw-p 0 00:00 0", "zz-yy rw-p 0 00:00 0"] {
            #expect(Mapping(line: Substring(line)) == nil)
        }
    }

    @Test(arguments: [
        ("rw-p 00000000 00:00 0", true), ("---p 00000000 00:00 0", true),
        ("rw-p 00000000 00:00 0 [heap]", true), ("rw-p 00000000 00:00 0 [anon:arena 1]", true),
        ("rw-p 00001000 fe:01 77 /lib/libc.so.6", false), ("r--p 00000000 00:00 0 [vvar]", false),
        ("r-xp 00000000 00:00 0 [vdso]", false), ("rw-p 00000000 00:00 0 [stack]", false),
        ("rw-p 00000000 00:01 12 /dev/zero (deleted)", false),
        ("rw-s 00000000 00:01 12 [anon_shmem:x]", false),
    ])
    func `only private anonymous memory may be lazy`(rest: String, expected: Bool) throws {
        let mapping = try #require(Mapping(line: "1000-2000 \(rest)"))
        #expect(mapping.mayBeLazilyRestorable == expected)
    }

    @Test(arguments: [
        ("rd wr mr mw me ac", true), ("rd wr mr mw me ac sd uw", true), ("rd wr hg dc wf", true),
        ("rd wr lo", false), ("rd wr gd", false), ("rd wr ht", false), ("rd wr ss", false),
        ("rd wr dp", false), ("rd io", false), ("rd pf", false),
    ])
    func `flags decide like CRIU's rule`(flags: String, expected: Bool) throws {
        var parser = MappingsParser()
        let text = """
            1000-2000 rw-p 00000000 00:00 0 \nSize:                  4 kB
            Private_Dirty:         0 kB
            VmFlags: \(flags) \n
            """
        // Pieces of any size, as a file's reads may bring them.
        for byte in text.utf8 { try parser.take([byte]) }
        try parser.finish()
        let mapping = try #require(parser.mappings.first)
        #expect(parser.mappings.count == 1)
        #expect(mapping.isLazilyRestorable == expected)
        #expect(mapping.flags.contains(.writeProtected) == flags.contains("uw"))
    }

    @Test func `the first executable mapping is CRIU's for a while`() throws {
        var parser = MappingsParser()
        let text = """
            1000-2000 rw-p 00000000 00:00 0
            2000-3000 r-xp 00000000 00:00 0
            3000-4000 rwxp 00000000 00:00 0
            """
        try parser.take(Array(text.utf8))
        try parser.finish()
        #expect(parser.mappings.map(\.isBorrowed) == [false, true, false])
        #expect(parser.mappings.map(\.isLazilyRestorable) == [true, false, true])
    }

    @Test func `memory of its own is counted, that of files is not`() throws {
        var parser = MappingsParser()
        let text = """
            1000-4000 rw-p 00000000 00:00 0
            Rss:                  99 kB
            Anonymous:             8 kB
            AnonHugePages:         8 kB
            Swap:                  4 kB
            SwapPss:               4 kB
            VmFlags: rd wr
            4000-6000 rw-p 00000000 00:00 0
            Private_Hugetlb:    2048 kB
            Anonymous: 99999999999999999999 kB
            VmFlags: rd ht
            """
        try parser.take(Array(text.utf8))
        try parser.finish()
        #expect(parser.mappings.map(\.ownMemory) == [.kibibytes(12), .mebibytes(2)])
    }

    @Test func `what is read twice while it changes counts once`() throws {
        var parser = MappingsParser()
        let text = """
            1000-4000 rw-p 00000000 00:00 0
            VmFlags: rd wr
            2000-3000 rw-p 00000000 00:00 0
            VmFlags: lo
            3000-6000 rw-p 00000000 00:00 0
            VmFlags: gd
            """
        try parser.take(Array(text.utf8))
        try parser.finish()
        #expect(parser.mappings.map(\.range) == [0x1000..<0x4000, 0x4000..<0x6000])
        #expect(parser.mappings.map(\.flags) == [[], .growsDown])
    }

    @Test func `this process's own mappings are read with and without flags`() throws {
        let plain = try Mappings.read(of: getpid())
        let flagged = try Mappings.readFlags(of: getpid())
        #expect(plain.count > 20 && flagged.count > 20)
        #expect(plain.contains { $0.mayBeLazilyRestorable })
        #expect(flagged.contains { $0.flags.contains(.growsDown) && !$0.isLazilyRestorable })
        #expect(throws: GodwitError(.notFound, "")) { try Mappings.read(of: 4_194_305) }
    }

    @Test func `entries of pagemap`() {
        #expect(PageEntry(bits: 1 << 63 | 0x1234).hasContent)
        #expect(PageEntry(bits: 1 << 62).hasContent)
        #expect(!PageEntry(bits: 1 << 63 | 1 << 61 | 0x1234).hasContent)
        #expect(!PageEntry(bits: 1 << 55).hasContent)
        #expect(PageEntry(bits: 1 << 55).isSoftDirty)
    }

    @Test func `a scan and the entries show the same pages`() throws {
        let size = 64 * 4_096
        let made = unsafe mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory = unsafe made, unsafe memory != MAP_FAILED else {
            throw GodwitError.kernel("map memory")
        }
        defer { unsafe munmap(memory, size) }
        for page in [1, 2, 5, 40, 63] {
            unsafe memory.storeBytes(of: 7, toByteOffset: page * 4_096, as: UInt8.self)
        }
        // Read, never written: the page of zeros.
        #expect(unsafe memory.load(fromByteOffset: 20 * 4_096, as: UInt8.self) == 0)
        let start = UInt64(UInt(bitPattern: memory))
        let table = try PageTable(of: getpid())
        var scanned: [Range<UInt64>] = []
        var entries: [UInt64] = []
        let range = start..<start + UInt64(size)
        #expect(table.scan(range, marking: .softDirty) { scanned.append($0.range) } == 0)
        let code = table.readEntries(range) { address, entry in
            if entry.hasContent { entries.append((address - start) / 4_096) }
        }
        let pages = scanned.map {
            ($0.lowerBound - start) / 4_096..<($0.upperBound - start) / 4_096
        }
        #expect(pages == [1..<3, 5..<6, 40..<41, 63..<64])
        #expect(code == 0 && entries == [1, 2, 5, 40, 63])
    }
}
