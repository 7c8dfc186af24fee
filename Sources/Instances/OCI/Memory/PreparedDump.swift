import Foundation
import LinuxHost
import MigrationCore
import Pages
import Synchronization

/// A dump that was started while the instance runs: runc and CRIU are there, and CRIU waits until
/// the instance stands.
struct PreparedDump: Sendable {
    let child: ChildProcess
    let hold: CriuHold
    /// Of the checkpoint, of which it has sent something already.
    let writer: CheckpointWriter
}

/// The dumps between `openMemory` and the end of their sessions.
final class PreparedDumps: Sendable {
    private struct Place {
        let dump: PreparedDump
        var isHeld = true
    }

    private let places = Mutex<[InstanceName: Place]>([:])

    func put(_ dump: PreparedDump, for name: InstanceName) {
        places.withLock { places in
            precondition(places[name] == nil, "two dumps of one instance")
            places[name] = Place(dump: dump)
        }
    }

    /// The dump that waits, which the caller lets go. Its writer stays.
    func release(_ name: InstanceName) -> PreparedDump? {
        places.withLock { places in
            guard let place = places[name], place.isHeld else { return nil }
            places[name]?.isHeld = false
            return place.dump
        }
    }

    func takeWriter(_ name: InstanceName) -> CheckpointWriter? {
        places.withLock { $0.removeValue(forKey: name)?.dump.writer }
    }

    /// Ends a dump that waits.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    func discard(_ name: InstanceName) async -> Bool {
        let place = places.withLock { $0.removeValue(forKey: name) }
        guard let place, place.isHeld else { return false }
        await place.dump.hold.drop(place.dump.child)
        return true
    }
}

extension OCIDriver {
    /// Starts the dump as far as it can go while the instance runs, and sends what is known of the
    /// checkpoint by then: what runc needs of it to begin a restore.
    ///
    /// - Throws: `checkpointFailed` if runc or CRIU fails already, or what the stream throws. Then
    ///   nothing of the dump is left.
    func prepareDump(
        _ definition: InstanceDefinition, options: MoveOptions, over stream: any ByteStream
    ) async throws {
        let files = files(definition)
        await waitForDump(files)
        try SmallFile.remove(files.touched)
        let hold = try CriuHold(in: files.directory)
        let child = try await startDump(
            definition, options: options,
            environment: Criu.hiding(
                files.hiddenPages, mappings: files.mappings, mark: files.touched,
                library: library, hold: files.directory))
        guard try await blocking({ try hold.waitsAhead(of: child) }) else {
            await hold.drop(child)
            defer { removeDump(files) }
            // It has run through without our library: the real one will come in the freeze.
            guard await !child.wait().isSuccess else { return }
            throw CriuFailure.error(.checkpointFailed, files, action: "dump")
        }
        let writer = CheckpointWriter(directory: files.images)
        dumps.put(PreparedDump(child: child, hold: hold, writer: writer), for: definition.name)
        do { try await writer.sendAhead(Runc.descriptors, over: stream) } catch {
            // There is no session yet that could end it.
            await discardDump(definition)
            throw error
        }
    }

    /// Ends a dump that waits, and removes what it has made.
    func discardDump(_ definition: InstanceDefinition) async {
        guard await dumps.discard(definition.name) else { return }
        removeDump(files(definition))
    }

    private func removeDump(_ files: InstanceFiles) {
        for path in [files.images, files.work, files.dumping, files.touched, files.expired] {
            try? SmallFile.remove(path)
        }
    }
}
