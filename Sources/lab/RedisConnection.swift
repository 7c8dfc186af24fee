import Foundation
import MigrationCore

/// One TCP connection to a redis server. Calls block: it lives in a process of its own.
struct RedisConnection: ~Copyable {
    private let socket: Int32
    private var unread: [UInt8] = []

    /// - Throws: `linkLost` if the server does not answer.
    init(address: String, port: UInt16) throws {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { throw lost("make a socket") }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        // SAFETY: both structures outlive the calls, and their sizes are given.
        let status = unsafe withUnsafeMutablePointer(to: &place) { pointer in
            _ = unsafe inet_pton(AF_INET, address, &pointer.pointee.sin_addr)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe connect(socket, generic, size)
            }
        }
        guard status == 0 else {
            let error = lost("connect to \(address):\(port)")
            close(socket)
            throw error
        }
        self.socket = socket
    }

    deinit { close(socket) }

    /// Sends one command and returns the number that the server answers with.
    ///
    /// - Throws: `linkLost` if the connection ends or the answer takes `seconds`,
    ///   `protocolViolation` if it is no number.
    mutating func number(for words: [String], seconds: Int32 = 30) throws -> Int {
        try send(words)
        let line = try readLine(seconds: seconds)
        guard line.first == ":", let number = Int(line.dropFirst()) else {
            throw GodwitError(.protocolViolation, "redis answered \"\(line.prefix(100))\"")
        }
        return number
    }

    private func send(_ words: [String]) throws {
        let text = words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        var rest = Array("*\(words.count)\r\n\(text)".utf8)[...]
        while !rest.isEmpty {
            // SAFETY: the buffer lives as long as the call.
            let written = unsafe rest.withUnsafeBytes { buffer in
                unsafe Foundation.send(
                    socket, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { throw lost("send to redis") }
            rest = rest.dropFirst(written)
        }
    }

    private mutating func readLine(seconds: Int32) throws -> String {
        while true {
            if let end = unread.firstIndex(of: 0x0d), unread.count > end + 1 {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeFirst(end + 2)
                return line
            }
            guard isReadable(socket, milliseconds: seconds * 1000) else {
                throw GodwitError(.linkLost, "redis did not answer within \(seconds) s")
            }
            var bytes = [UInt8](repeating: 0, count: 4096)
            // SAFETY: the array holds as many bytes as the call may write.
            let count = unsafe recv(socket, &bytes, bytes.count, 0)
            guard count > 0 else { throw lost("read from redis") }
            unread += bytes.prefix(count)
        }
    }
}

/// Waits until a descriptor has something to read, or has ended.
func isReadable(_ descriptor: Int32, milliseconds: Int32) -> Bool {
    var wish = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    // SAFETY: one structure, and the count says one.
    return unsafe poll(&wish, 1, milliseconds) > 0
}

private func lost(_ action: String) -> GodwitError {
    let reason = unsafe String(cString: strerror(errno))
    return GodwitError(.linkLost, "the client could not \(action): \(reason)")
}
