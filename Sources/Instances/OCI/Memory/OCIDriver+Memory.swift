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

    /// Preloaded into CRIU.
    var library: String { Criu.library(of: configuration.executable) }

    package func openMemory(
        _ definition: InstanceDefinition,
        over streams: [any ByteStream],
        options: MoveOptions,
        cost: FreezeCost,
        progress: @escaping @Sendable (MemoryProgress) -> Void
    ) async throws -> any MemorySession {
        try await waitForArrival(definition)
        let cgroup = try cgroup(definition)
        return OCIMemorySession(
            over: streams, options: options.memory, cost: cost,
            processes: { cgroup.processes() }, progress: progress)
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
    ) async throws {
        let files = files(definition)
        let text = Criu.hiddenPages(memory.ranges)
        defer { try? SmallFile.remove(files.hiddenPages) }
        try SmallFile.replace(files.hiddenPages, with: Array(text.utf8))
        try await dump(
            definition, options: options,
            environment: Criu.hiding(files.hiddenPages, library: library))
    }

    package func receiveMemory(
        _ definition: InstanceDefinition, from streams: [any ByteStream]
    ) async throws {
        await keepers.discard(definition.name)
        let (keeper, sockets) = try KeeperHandle.start(
            configuration, files(definition), streams: streams.count)
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
            await keeper.discard()
            throw error
        }
        keepers.put(keeper, for: definition.name)
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
