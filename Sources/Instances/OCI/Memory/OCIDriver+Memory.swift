import Foundation
import LinuxHost
package import MigrationCore
import Pages

extension OCIDriver: MemoryMoving {
    package var canMoveMemory: Bool {
        get async {
            // Tasks in a user namespace have their userfaultfds from the device.
            SmallFile.exists(library) && SmallFile.exists("/dev/userfaultfd")
        }
    }

    package func memoryDivision(
        _ definition: InstanceDefinition
    ) async throws -> MemoryDivision {
        let cgroup = try cgroup(definition)
        let processes = cgroup.processes()
        return try await blocking {
            var division = MemoryDivision(pages: .zero, images: cgroup.sharedMemory())
            // A process that has ended since has no memory.
            for mapping in processes.flatMap({ (try? Mappings.readFlags(of: $0)) ?? [] }) {
                if mapping.isLazilyRestorable {
                    division.pages += mapping.ownMemory
                } else {
                    division.images += mapping.ownMemory
                }
            }
            return division
        }
    }

    /// Preloaded into CRIU.
    var library: String { Criu.library(of: configuration.executable) }

    package func openMemory(
        _ definition: InstanceDefinition,
        over streams: [any ByteStream],
        checkpoint: any ByteStream,
        options: MoveOptions,
        cost: FreezeCost,
        progress: @escaping @Sendable (MemoryProgress) -> Void
    ) async throws -> any MemorySession {
        try await waitForArrival(definition)
        let cgroup = try cgroup(definition)
        // Before the rounds, so that the last of them is not old when it is done.
        try await prepareDump(definition, options: options, over: checkpoint)
        let file = files(definition).throttled
        return OCIMemorySession(
            over: streams, options: options.memory, cost: cost,
            processes: { cgroup.processes() },
            throttle: ProcessorThrottle(cgroup, file: file), progress: progress,
            atEnd: {
                // What cannot be given back now is when the instance is thawed.
                try? ProcessorThrottle.lift(cgroup, file: file)
                await discardDump(definition)
            })
    }

    /// Returns when all memory of the last move has been placed. Before that a dump would take for
    /// zero what is still missing, and no tracker could watch it.
    ///
    /// - Throws: `busy` after a minute.
    func waitForArrival(_ definition: InstanceDefinition) async throws {
        let file = files(definition).arriving
        guard await holds(within: .seconds(60), { !SmallFile.exists(file) }) else {
            throw GodwitError(
                .busy, "memory of the last move of \(definition.name) is still arriving",
                remedy: "move it again when it has arrived")
        }
    }

    package func dump(
        _ definition: InstanceDefinition, options: MoveOptions, without memory: CarriedMemory
    ) async throws -> Bool {
        let files = files(definition)
        let text = Criu.hiddenPages(memory.ranges)
        defer {
            for path in [files.hiddenPages, files.mappings, files.touched] {
                try? SmallFile.remove(path)
            }
        }
        try requireDumpable(definition)
        try SmallFile.replace(files.hiddenPages, with: Array(text.utf8))
        try SmallFile.remove(files.mappings)
        try SmallFile.makeDirectory(files.mappings)
        for (pid, mappings) in memory.mappings {
            try SmallFile.replace("\(files.mappings)/\(pid)", with: mappings)
        }
        let child: ChildProcess
        if let prepared = dumps.release(definition.name) {
            // If CRIU is gone, why stands in its log.
            try? prepared.hold.letGo()
            child = prepared.child
        } else {
            try SmallFile.remove(files.touched)
            child = try await startDump(
                definition, options: options,
                environment: Criu.hiding(
                    files.hiddenPages, mappings: files.mappings, mark: files.touched,
                    library: library))
        }
        try await finishDump(definition, child)
        return (try? SmallFile.bytes(files.touched)) != [0]
    }

    package func receiveMemory(
        _ definition: InstanceDefinition, from streams: [any ByteStream]
    ) async throws {
        let (keeper, sockets) = try KeeperHandle.start(
            configuration, files(definition), streams: streams.count)
        keepers.put(keeper, for: definition.name)
        do {
            // What waits for a socket does not hear of a cancel by itself.
            try await withTaskCancellationHandler {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (stream, socket) in zip(streams, sockets) {
                        group.addTask { try await stream.relay(socket) }
                    }
                    group.addTask { try await keeper.waitForArrival() }
                    try await waitForAll(of: &group, ending: sockets)
                }
                try Task.checkCancellation()
            } onCancel: {
                keeper.dismiss()
                for socket in sockets { socket.end() }
            }
        } catch {
            await keepers.discard(definition.name)
            throw error
        }
    }

    package func servePages(
        _ definition: InstanceDefinition, over stream: any ByteStream
    ) async throws {
        let cgroup = try cgroup(definition)
        guard cgroup.isFrozen else {
            throw GodwitError(
                .internalFault, "pages of \(definition.name) are asked for, and it is not frozen")
        }
        let pids = try InstanceTasks.pids(cgroup.processes())
        try await PageServer(stream: stream, pids: pids).serve()
    }

    package func lacksMemory(_ definition: InstanceDefinition) async throws -> Bool {
        SmallFile.exists(files(definition).lacking)
    }

    package func fetchMemory(
        _ definition: InstanceDefinition, channel: Int, over stream: any ByteStream
    ) async throws {
        precondition((0..<StreamHello.Purpose.pageChannels).contains(channel))
        let socket = SocketStream(try files(definition).connectToPages())
        try await withTaskCancellationHandler {
            try await socket.write([UInt8(channel)])
            try await stream.relay(socket)
        } onCancel: {
            socket.end()
        }
    }

    package func waitForMemory(_ definition: InstanceDefinition) async throws
        -> MemoryReport.Fetch
    {
        let files = files(definition)
        if !SmallFile.exists(files.fetched), let connection = try? watch(files) {
            await withTaskCancellationHandler {
                // However it ends, what is written down counts: a connection that was not taken yet
                // when the keeper was done ends with an error.
                while (try? await connection.read()) != nil {}
            } onCancel: {
                connection.end()
            }
            try Task.checkCancellation()
        }
        let outcome = try? JSONDecoder().decode(
            MemoryFetch.Outcome.self, from: Data(SmallFile.bytes(files.fetched)))
        if let fetch = outcome?.fetch { return fetch }
        // Without its keeper it would find zeros where its pages should be.
        try await cgroup(definition).killAll()
        throw outcome?.failure
            ?? GodwitError(
                .restoreFailed, "the process that keeps the memory of \(definition.name) has died",
                remedy: "decide with `godwit resolve` at the source whether the original goes on")
    }

    private func watch(_ files: InstanceFiles) throws -> SocketStream {
        let connection = try files.connectToPages()
        try connection.write([MemoryFetch.watches])
        return SocketStream(connection)
    }

    /// A stream that breaks because the keeper has given up is explained by what the keeper says.
    private func waitForAll(
        of group: inout ThrowingTaskGroup<Void, any Error>, ending sockets: [SocketStream]
    ) async throws {
        var failures: [any Error] = []
        while true {
            do { guard try await group.next() != nil else { break } } catch {
                failures.append(error)
                for socket in sockets { socket.end() }
            }
        }
        let worst = failures.first { ($0 as? GodwitError)?.code != .kernelRefused }
        if let failure = worst ?? failures.first { throw failure }
    }
}
