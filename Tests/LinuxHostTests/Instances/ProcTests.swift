import Foundation
import LinuxHost
import MigrationCore
import Testing

@Suite struct ProcTests {
    @Test func `lines of maps are read, with names that hold anything`() {
        let shared = MemoryMap(
            line: "7f00-7f01 rw-s 00000000 fe:00 123                  /data/a b\\012c")
        #expect(shared?.path == "/data/a b\nc")
        #expect(shared?.isShared == true)
        #expect(shared?.isNamedFile == true)
        let anonymous = MemoryMap(line: "7f00-7f01 r--p 00000000 00:00 0 ")
        #expect(anonymous?.path == "" && anonymous?.isNamedFile == false)
        #expect(anonymous?.isShared == false)
        let gone = MemoryMap(line: "7f00-7f01 rw-s 0 fe:00 1     /data/a (deleted)")
        #expect(gone?.isNamedFile == false)
        #expect(MemoryMap(line: "nonsense") == nil)
        #expect(MemoryMap(line: "") == nil)
    }

    @Test func `this process has mappings, and is alive and in the table`() throws {
        #expect(try !MemoryMap.read(of: getpid()).isEmpty)
        #expect(ProcessTable.isAlive(getpid()))
        #expect(ProcessTable.all().contains { $0.pid == getpid() })
        #expect(ProcessTable.entry(getpid())?.parent == getppid())
        #expect(ProcessTable.tracer(of: getpid()) == nil)
        #expect(!ProcessTable.isAlive(Int32.max))
    }

    @Test func `a process's name may look like the end of its line`() {
        let rest = (0..<20).map { " \($0)" }.joined()
        let entry = ProcessTable.Entry(stat: "12 (a) b) S 7 8 9\(rest)")
        #expect(entry?.pid == 12 && entry?.state == "S")
        #expect(entry?.parent == 7 && entry?.group == 8 && entry?.session == 9)
        #expect(ProcessTable.Entry(stat: "12 (a) S 7") == nil)
        #expect(ProcessTable.Entry(stat: "") == nil)
    }

    @Test func `a file is replaced at once and removed once`() throws {
        let path = NSTemporaryDirectory() + "gwt-\(UUID().uuidString)/below/file"
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        defer {
            try? SmallFile.remove(URL(fileURLWithPath: directory).deletingLastPathComponent().path)
        }
        try SmallFile.makeDirectory(directory)
        try SmallFile.makeDirectory(directory)
        try SmallFile.replace(path, with: Array("one\n".utf8))
        try SmallFile.replace(path, with: Array(" two \n".utf8))
        #expect(SmallFile.word(path) == "two")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["file"])
        for _ in 0..<2 { try SmallFile.remove(directory) }
        #expect(SmallFile.word(path) == nil && !SmallFile.exists(directory))
        #expect(throws: GodwitError(.kernelRefused, "")) { try SmallFile.text(path) }
    }

    @Test func `a file longer than the limit is refused`() {
        #expect(throws: GodwitError(.limitExceeded, "")) { try SmallFile.bytes("/dev/zero") }
    }

    @Test func `a digest depends on every byte and not on how they come`() {
        let whole = StreamDigest()
        whole.update("hello world")
        let pieces = StreamDigest()
        for piece in ["hel", "", "lo wor", "ld"] { pieces.update(piece) }
        #expect(whole.text == pieces.text && whole.text.count == 32)
        // XXH3 with 128 bits of nothing, from the algorithm's own test vectors.
        #expect(StreamDigest().text == "99aa06d3014798d86001c324468d497f")
        let other = StreamDigest()
        other.update("hello worle")
        #expect(other.text != whole.text)
    }
}
