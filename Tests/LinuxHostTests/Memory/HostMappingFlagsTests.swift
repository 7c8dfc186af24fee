import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// What smaps would say, said without it.
@Suite struct HostMappingFlagsTests {
    /// Mappings of many kinds: read-only, locked, without fork, for huge pages, shared, closed.
    private static let program = """
        import mmap, ctypes, os
        libc = ctypes.CDLL(None)
        kept = [mmap.mmap(-1, 1 << 20, flags=flags) for flags in (33, 34, 34, 34, 34)]
        address = [ctypes.addressof(ctypes.c_char.from_buffer(one)) for one in kept]
        call = lambda name, *words: getattr(libc, name)(*map(ctypes.c_long, words))
        call('mlock', address[1], 8192)
        call('madvise', address[2], 1 << 20, 10)
        call('madvise', address[3], 1 << 20, 14)
        call('mprotect', address[4], 4096, 0)
        os.write(1, b'ready\\n')
        input()
        call('madvise', address[4] + 8192, 4096, 16)
        os.write(1, b'done\\n')
        input()
        """

    /// Lines in which the text and smaps differ, of which headers and flags alone count.
    private func differences(_ text: [UInt8], _ pid: Int32) throws -> [String] {
        let smaps = try SmallFile.text("/proc/\(pid)/smaps")
        let wanted = smaps.split(separator: "\n").filter { line in
            line.hasPrefix("VmFlags:")
                || line.prefix(1).allSatisfy(\.isHexDigit)
                    && line.contains("-")
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let differing = zip(lines, wanted).filter { $0 != $1 }.map { "\($0) for \($1)" }
        return differing
            + (lines.count == wanted.count ? [] : ["\(lines.suffix(2)) for \(wanted.suffix(2))"])
    }

    @Test func `known flags give the text of smaps, unknown ones none`() async throws {
        let tool = try ConversingTool.start(Command("python3", ["-c", Self.program]))
        async let said = tool.said()
        try await hears("ready\n", from: tool)
        let pid = tool.child.pid
        var flags = try MappingFlags()
        #expect(try flags.text(of: pid) == nil)
        try flags.learn(from: pid)
        let text = try #require(try flags.text(of: pid))
        let wrong = try differences(text, pid)
        #expect(wrong == [], "\(wrong)")
        #expect(text.count > 2_000 && String(decoding: text, as: UTF8.self).contains(" lo "))
        // A flag that no mapping has had so far: it is not dumped (MADV_DONTDUMP).
        try tool.input.write(Array("go\n".utf8)[...])
        try await hears("done\n", from: tool)
        #expect(try flags.text(of: pid) == nil)
        try flags.learn(from: pid)
        let other = try #require(try flags.text(of: pid))
        let otherwise = try differences(other, pid)
        #expect(otherwise == [], "\(otherwise)")
        #expect(other != text)
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
        #expect(throws: GodwitError.self) { try flags.text(of: 4_194_305) }
    }
}
