import Foundation
import LinuxHost
import MigrationCore
import Pages

/// Memory of the test's own process whose missing pages a server fills: it plays CRIU's part and
/// the restored task's.
final class OwnMemory: Sendable {
    static let isPossible =
        getuid() == 0 && (try? FaultingMemory.own()) != nil

    let directory: String
    let store = PageStore(limit: .gibibytes(1))
    let server: LazyPagesServer
    let task = TaskID(7)
    let range: Range<UInt64>
    private let uffd: FaultingMemory

    /// - Parameter pages: how many the memory has.
    init(pages: Int, pause: Duration = .zero) throws {
        directory = NSTemporaryDirectory() + "gwt-own-\(UUID().uuidString)"
        try SmallFile.makeDirectory(directory)
        let start = try Self.map(pages)
        range = start..<start + UInt64(pages * PageRun.pageSize)
        uffd = try FaultingMemory.own()
        try uffd.register(range)
        let task = task
        server = try LazyPagesServer(
            store: store, work: directory, images: directory, threads: 1, pause: pause
        ) { [task: getpid()] }
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    static func map(_ pages: Int) throws -> UInt64 {
        let memory = unsafe mmap(
            nil, pages * PageRun.pageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
            -1, 0)
        guard let memory = unsafe memory, Int(bitPattern: memory) != -1 else {
            throw GodwitError.kernel("map memory")
        }
        return UInt64(UInt(bitPattern: memory))
    }

    func address(_ page: Int) -> UInt64 { range.lowerBound + UInt64(page * PageRun.pageSize) }

    /// The content that page `number` has in the store.
    func keep(_ pages: Range<Int>) throws {
        for page in pages {
            let bytes = [UInt64](
                repeating: Self.word(page), count: PageRun.pageSize / 8)
            try unsafe bytes.withUnsafeBytes {
                try unsafe store.keep($0, of: task, at: address(page))
            }
        }
    }

    static func word(_ page: Int) -> UInt64 { UInt64(page) &* 0x9E37_79B9_7F4A_7C15 | 1 }

    /// Looks at a page from a thread that may wait for it.
    func read(_ address: UInt64) async throws -> UInt64 {
        try await blocking { Self.peek(address) }
    }

    private static func peek(_ address: UInt64) -> UInt64 {
        guard let memory = unsafe UnsafePointer<UInt64>(bitPattern: UInt(address)) else { return 0 }
        // Not the first word alone: the whole page has to be of one piece.
        let words = (0..<PageRun.pageSize / 8).map { unsafe memory[$0] }
        return words.allSatisfy { $0 == words[0] } ? words[0] : .max
    }

    /// What CRIU says up to the end of its restore.
    ///
    /// - Returns: the server's answer.
    @discardableResult
    func handOver(zombie: Int32? = nil) async throws -> [UInt8] {
        let connection = try connect()
        if let zombie { try connection.write(Self.bytes(-zombie)[...]) }
        try connection.write(Self.bytes(task.number)[...])
        try connection.send(uffd.descriptor)
        // As CRIU does: while a copy is open, a fault that nobody answers waits for ever.
        uffd.descriptor.close()
        try connection.write(Self.bytes(0x5253_5446)[...])
        return try await blocking { try connection.read(upTo: 1) }
    }

    func connect() throws -> Descriptor {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard number >= 0 else { throw GodwitError.kernel("make a socket") }
        let connection = Descriptor(taking: number)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
            unsafe path.copyBytes(from: Array("\(directory)/lazy-pages.socket".utf8))
        }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Foundation.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw GodwitError.kernel("connect") }
        return connection
    }

    static func bytes(_ number: Int32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}
