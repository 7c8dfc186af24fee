import CLinux
import Foundation
import MigrationCore

/// A stream socket that listens under a name in a directory.
package struct LocalListener: Sendable {
    package let descriptor: Descriptor
    private let path: String

    /// Takes the name, whatever lay there before.
    package init(_ name: String, in directory: String, mode: UInt32) throws {
        let folder = try Descriptor.open(directory, O_PATH_DIRECTORY)
        let number = unsafe godwit_listen_in(folder.number, name, mode)
        guard number >= 0 else {
            throw GodwitError.kernel("listen at \(directory)/\(name)", code: -number)
        }
        descriptor = Descriptor(taking: number)
        path = "\(directory)/\(name)"
    }

    /// Waits for the next connection.
    package func accept() throws -> Descriptor {
        let number = godwit_accept(descriptor.number)
        guard number >= 0 else {
            throw GodwitError.kernel("accept a connection", code: -number)
        }
        return Descriptor(taking: number)
    }

    /// Stops listening and frees the name.
    package func close() {
        descriptor.close()
        _ = unsafe unlink(path)
    }
}

extension Descriptor {
    /// A stream socket that is connected to who listens under a name in a directory.
    package static func connected(to name: String, in directory: String) throws -> Descriptor {
        let folder = try Descriptor.open(directory, O_PATH_DIRECTORY)
        let number = unsafe godwit_connect_in(folder.number, name)
        guard number >= 0 else {
            throw GodwitError.kernel("connect to \(directory)/\(name)", code: -number)
        }
        return Descriptor(taking: number)
    }

    /// The descriptor that travels with the next byte of a local socket; nil if none does.
    ///
    /// - Throws: `linkLost` at the end of the stream.
    package func receiveDescriptor() throws -> Descriptor? {
        var received: Int32 = -1
        let error = unsafe godwit_receive_descriptor(number, &received)
        guard error != EPIPE else {
            throw GodwitError(.linkLost, "a local connection ended where a descriptor was due")
        }
        guard error == 0 else { throw GodwitError.kernel("receive a descriptor", code: error) }
        return received < 0 ? nil : Descriptor(taking: received)
    }

    /// Sends a byte and with it the descriptor, which the other end gets a copy of.
    package func send(_ descriptor: Descriptor) throws {
        let error = godwit_send_descriptor(number, descriptor.number)
        guard error == 0 else { throw GodwitError.kernel("send a descriptor", code: error) }
    }

    /// Sends a byte to a peer that may have gone.
    package func send(byte: UInt8) throws {
        let error = godwit_send_byte(number, byte)
        guard error == 0 else { throw GodwitError.kernel("send a byte", code: error) }
    }
}

package enum Readiness {
    /// Waits until one of the descriptors can be read or has ended, or the time is over.
    ///
    /// - Returns: for each whether it is ready.
    package static func wait(_ descriptors: [Descriptor], milliseconds: Int32) -> [Bool] {
        var entries = descriptors.map {
            pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0)
        }
        let count = unsafe poll(&entries, nfds_t(entries.count), milliseconds)
        return entries.map { count > 0 && $0.revents != 0 }
    }
}

private let O_PATH_DIRECTORY = godwit_o_path | O_DIRECTORY
