import Foundation
import MigrationCore

/// Where requests go.
struct Peer: Sendable {
    private let bytes: [UInt8]
    private let family: Int32

    /// - Throws: `badRequest` unless the address is a number of IPv4 or IPv6.
    init(address: String, port: UInt16) throws {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        // SAFETY: both structures outlive the call; what it made is freed below.
        let status = unsafe getaddrinfo(address, "\(port)", &hints, &found)
        defer { if let found = unsafe found { unsafe freeaddrinfo(found) } }
        guard status == 0, let first = unsafe found?.pointee else {
            throw GodwitError(.badRequest, "\(address) is no address")
        }
        family = unsafe first.ai_family
        // SAFETY: the call says how long the address is; it is copied before it is freed.
        bytes = unsafe Array(
            UnsafeRawBufferPointer(start: first.ai_addr, count: Int(first.ai_addrlen)))
    }

    /// A socket that never blocks and is connected, or will be.
    ///
    /// - Throws: `linkLost` with the kernel's reason.
    func connected(_ kind: ClientSocket.Kind) throws -> ClientSocket {
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Foundation.socket(family, kind.type | flags, kind.number)
        guard socket >= 0 else { throw ClientSocket.error() }
        var one: Int32 = 1
        // SAFETY: the option is one number, and the address is as long as it is said to be.
        let status = unsafe bytes.withUnsafeBytes { buffer in
            if kind == .stream {
                unsafe setsockopt(socket, 6, TCP_NODELAY, &one, 4)
            }
            let generic = unsafe buffer.assumingMemoryBound(to: sockaddr.self).baseAddress
            return unsafe connect(socket, generic, socklen_t(buffer.count))
        }
        guard status == 0 || errno == EINPROGRESS else {
            let error = ClientSocket.error()
            close(socket)
            throw error
        }
        return ClientSocket(descriptor: socket)
    }
}

/// A socket of a client that never waits. Closed by hand: hundreds come and go in one loop.
struct ClientSocket {
    enum Kind {
        case stream, datagram, echo

        var type: Int32 {
            switch self {
            case .stream: Int32(SOCK_STREAM.rawValue)
            case .datagram: Int32(SOCK_DGRAM.rawValue)
            case .echo: Int32(SOCK_RAW.rawValue)
            }
        }
        /// The kernel's choice, or ICMP.
        var number: Int32 { self == .echo ? 1 : 0 }
    }

    let descriptor: Int32

    /// False if nothing can be sent now.
    ///
    /// - Throws: `linkLost` with the kernel's reason.
    func send(_ bytes: [UInt8]) throws -> Bool {
        // SAFETY: the buffer lives as long as the call.
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe Foundation.send(
                descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
        }
        if count == bytes.count { return true }
        guard count < 0, [EAGAIN, ENOTCONN, ENOBUFS].contains(errno) else {
            throw Self.error()
        }
        return false
    }

    /// Nil if there is nothing now.
    ///
    /// - Throws: `linkLost` with the kernel's reason, or if the other side has ended.
    func receive() throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 2048)
        // SAFETY: the array holds as many bytes as the call may write.
        let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
        if count > 0 { return Array(bytes.prefix(count)) }
        if count == 0 { throw GodwitError(.linkLost, "the connection has ended") }
        guard errno == EAGAIN || errno == ENOTCONN else { throw Self.error() }
        return nil
    }

    func end() { close(descriptor) }

    static func error() -> GodwitError {
        GodwitError(.linkLost, unsafe String(cString: strerror(errno)))
    }
}
