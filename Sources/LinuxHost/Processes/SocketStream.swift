import CLinux
import Foundation
package import MigrationCore

/// A two-way stream to another process of this host.
package final class SocketStream: ByteStream {
    private let socket: Descriptor

    /// Takes over a connected stream socket.
    package init(_ socket: Descriptor) {
        _ = ignoreBrokenPipes
        self.socket = socket
    }

    /// Two sockets that are connected to each other; each is closed with its last reference.
    package static func pair() throws -> (Descriptor, Descriptor) {
        var numbers: [Int32] = [-1, -1]
        guard unsafe godwit_socket_pair(&numbers, Int32(buffer)) == 0 else {
            throw GodwitError.kernel("make a pair of sockets")
        }
        return (Descriptor(taking: numbers[0]), Descriptor(taking: numbers[1]))
    }

    /// What each direction holds on its way: enough that neither side waits for every frame.
    private static let buffer = 4 * Int(Limit.frame.bytes)

    package func read() async throws -> [UInt8]? {
        let socket = socket
        let bytes = try await blocking { try socket.read(upTo: Int(Limit.frame.bytes)) }
        return bytes.isEmpty ? nil : bytes
    }

    package func write(_ bytes: ArraySlice<UInt8>) async throws {
        let socket = socket
        try await blocking { try socket.write(bytes) }
    }

    package func finish() async throws { shutdown(socket.number, Int32(SHUT_WR)) }

    package func cancel() async { end() }

    /// Ends both directions now: reads and writes that wait return.
    package func end() { shutdown(socket.number, Int32(SHUT_RDWR)) }
}

extension ByteStream {
    /// Carries both directions between this stream and another until both have ended.
    ///
    /// - Throws: what a read or write throws; both are then cancelled.
    package func relay(_ other: any ByteStream) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.copy(to: other) }
            group.addTask { try await other.copy(to: self) }
            do { while try await group.next() != nil {} } catch {
                // Inside the group, which ends only when the other direction has ended.
                await cancel()
                await other.cancel()
                throw error
            }
        }
    }

    private func copy(to other: any ByteStream) async throws {
        while let bytes = try await read() { try await other.write(bytes[...]) }
        try await other.finish()
    }
}
