import Foundation
import LinuxHost
import MigrationCore
import Pages
import TestSupport
import Testing

/// Mappings that a program moves about.
@Suite(.timeLimit(.minutes(1)))
struct HostMovedMappingTests {
    /// Says where one mapping lies, moves its second half away, back, and writes to the first.
    private static let program = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None, use_errno=True)
        call = libc.mremap
        call.restype = ctypes.c_void_p
        call.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int,
                         ctypes.c_void_p]
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                              ctypes.c_int, ctypes.c_long]
        size = 16 * 4096
        base = libc.mmap(None, 64 * size, 0, 0x4022, -1, 0)
        first = libc.mmap(base + size, 2 * size, 3, 0x32, -1, 0)
        second, elsewhere = first + size, base + 32 * size
        def fill(byte):
            ctypes.memset(first, byte, 1)
            ctypes.memset(first + 5 * 4096, byte, 1)
        def wait(text):
            os.write(1, (text + "\\n").encode())
            sys.stdin.readline()
        ctypes.memset(first, 1, 2 * size)
        wait("%x" % first)
        moved = call(second, size, size, 3, elsewhere)
        wait("away")
        back = call(elsewhere, size, size, 3, second)
        fill(2)
        wait("back" if (moved, back) == (elsewhere, second) else "not moved")
        fill(3)
        wait("written")
        """

    /// Linux 6.18 forgets the registration of a neighbour that a moved mapping is merged with, and
    /// leaves its marks.
    @Test func `a mapping that is moved back beside its neighbour hides no page`() async throws {
        let tool = try ConversingTool.start(Command("python3", ["-c", Self.program]))
        async let said = tool.said()
        let line = try await blocking { try tool.output.read(upTo: 100) }
        let first = try #require(
            UInt64(String(decoding: line.dropLast(), as: UTF8.self), radix: 16))
        let tracker = try await TrackerKind.usable[0].watch(tool.child.pid)
        var model = Model()
        func round() async throws {
            let found = try await blocking { try tracker.round(isFrozen: false) }
            model.take(found.dirty, of: tool.child.pid, for: tracker)
        }
        func next(_ answer: String) async throws {
            try tool.input.write(Array("go\n".utf8)[...])
            try await hears(answer + "\n", from: tool)
        }
        try await round()
        try await next("away")
        try await round()
        try await next("back")
        try await round()
        try await next("written")
        let last = try await blocking { try tracker.round(isFrozen: false) }
        let written = AddressSet([first, first + 5 * 4096].map { $0..<$0 + 4096 })
        #expect(written.subtracting(last.dirty).isEmpty)
        model.take(last.dirty, of: tool.child.pid, for: tracker)
        #expect(model.differences(from: last, of: tool.child.pid) == [])
        tracker.close()
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
    }

    /// Whole page tables move without a look at their entries.
    private static let hugeMove = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mremap.restype = ctypes.c_void_p
        libc.mremap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int,
                                ctypes.c_void_p]
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                              ctypes.c_int, ctypes.c_long]
        size = 4 << 20
        base = libc.mmap(None, 8 * size, 0, 0x4022, -1, 0) // size * size + size
        places = [libc.mmap(base + number * size, size, 3, 0x32, -1, 0) for number in (0, 2)]
        for number, place in enumerate(places):
            libc.madvise(place, size, 15)
            ctypes.memset(place, number + 1, size)
        os.write(1, b"ready\\n")
        sys.stdin.readline()
        moved = libc.mremap(places[0], size, size, 3, places[1])
        os.write(1, b"moved\\n" if moved == places[1] else b"not moved\\n")
        sys.stdin.readline()
        """

    @Test(arguments: Storm.trackers)
    func `4 MiB that are moved onto other 4 MiB are reported`(kind: TrackerKind) async throws {
        let tool = try ConversingTool.start(Command("python3", ["-c", Self.hugeMove]))
        async let said = tool.said()
        try await hears("ready\n", from: tool)
        let tracker = try await kind.watch(tool.child.pid)
        var model = Model()
        let first = try await blocking { try tracker.round(isFrozen: false) }
        model.take(first.dirty, of: tool.child.pid, for: tracker)
        try tool.input.write(Array("go\n".utf8)[...])
        try await hears("moved\n", from: tool)
        let last = try await blocking { try tracker.round(isFrozen: false) }
        model.take(last.dirty, of: tool.child.pid, for: tracker)
        #expect(model.differences(from: last, of: tool.child.pid).prefix(3) == [])
        tracker.close()
        tool.input.close()
        _ = await tool.child.wait()
        _ = try await said
    }
}
