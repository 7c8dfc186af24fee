import LinuxHost
package import MigrationCore

extension LVMPool: VolumeReceiving {
    package func receiveWhileRunning(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        _ = try tree(of: volume)
        if method == .lvm {
            let isBlank = try await telling(stream) {
                let isBlank = try await holdsNothing(volume)
                try await SessionNote.write(BlockNote.FromTarget(isBlank: isBlank), to: stream)
                return isBlank
            }
            if isBlank { return try await receiveBlocks(of: volume, from: stream) }
        }
        try await receiveAgain(volume, by: method, from: stream)
    }

    package func receiveAgain(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: tree(of: volume), through: passes.ids.view(of: volume), tolerant: true,
            from: stream
        ) { [self] in
            try await writeOut(volume)
        }
    }

    package func receiveAfterCheckpoint(
        _ volume: String, by method: VolumeMethod, from stream: any ByteStream
    ) async throws {
        try await RsyncTransfer.receive(
            into: tree(of: volume), through: passes.ids.view(of: volume), tolerant: false,
            from: stream
        ) { [self] in
            if try await mayNotFit() { try await writeOut(volume) }
        }
    }

    /// What arrives is the volume, or has gone.
    package func cleanUpAfterReceiving(_ volume: String) async throws {
        _ = try layout.usablePath(of: volume)
        passes.ids.forget(volume)
    }

    private func holdsNothing(_ volume: String) async throws -> Bool {
        let names = try Directories.names(in: tree(of: volume))
        let kept = try await snapshots(of: volume)
        return names.isEmpty && kept.isEmpty
    }

    /// What comes is put in the volume's place once it is whole.
    private func receiveBlocks(of volume: String, from stream: any ByteStream) async throws {
        let fresh = ThinPool.newName()
        do {
            try await ApplyingEnd(stream: stream).run { [self] frames in
                let note = try await BlockNote.readFromSource(&frames)
                try await requireRoom(for: note.used)
                try await thin.make(fresh, size: note.size)
                try await receive(&frames, into: fresh, note.size)
                try await put(fresh, inPlaceOf: volume)
            }
        } catch {
            // Unless it has become the volume.
            if device(at: layout.place(of: volume)) != fresh { try? await thin.remove(fresh) }
            throw error
        }
        passes.forget(volume)
    }

    /// Nobody else has the volume open.
    private func receive(
        _ frames: inout SessionFrameReader, into fresh: String, _ size: ByteCount
    ) async throws {
        let path = thin.path(of: fresh)
        let device = try await blocking { try BlockDevice(path, isWritable: true) }
        do {
            while let bytes = try await ApplyingEnd.data(&frames) {
                let record = try BlockRecord(bytes, within: size.bytes)
                try await blocking { try device.apply(record) }
            }
            try await blocking { try device.synchronize() }
        } catch {
            throw await full(error)
        }
    }
}

/// A thin pool that has no room left tells so only where something is written out.
extension LVMPool {
    private func requireRoom(for size: ByteCount) async throws {
        let available = try await facts().available
        guard available < size + TreeCopy.margin else { return }
        throw noSpace(
            "No space left: \(available.bytes >> 20) MiB are free, \(size.bytes >> 20) MiB come")
    }

    /// Returns when all that the volume has is on the disk.
    private func writeOut(_ volume: String) async throws {
        do { try await FilesystemFacts.flush(at: layout.path(of: volume)) } catch {
            throw await full(error)
        }
    }

    /// Whether what is still to be written, of whatever, could fill the pool: a page of it may take
    /// a whole block.
    private func mayNotFit() async throws -> Bool {
        let unwritten = KernelTexts.unwritten(meminfo: try SmallFile.text("/proc/meminfo"))
        let pages = LVM.chunk.bytes / 4_096
        let (most, overflow) = unwritten.bytes.multipliedReportingOverflow(by: pages)
        let available = try await facts().available
        return overflow || available < ByteCount(bytes: most) + TreeCopy.margin
    }

    /// The error as it is, or the pool's if there is no room: what is written behind fails with an
    /// input or output error then.
    private func full(_ error: any Error) async -> any Error {
        guard let error = error as? GodwitError else { return error }
        if error.code == .noSpace { return noSpace(error.message) }
        guard error.code == .kernelRefused, let facts = try? await facts(),
            facts.available < TreeCopy.margin
        else { return error }
        return noSpace("the thin pool is out of space: \(error.message)")
    }

    private func noSpace(_ cause: String) -> GodwitError {
        GodwitError(
            .noSpace, "there is not enough space for the volume in the pool \(layout.pool)",
            remedy: "free space in it, or make it grow with `godwit pool grow`", cause: cause)
    }
}

extension BlockDevice {
    fileprivate func apply(_ record: BlockRecord) throws {
        switch record {
        case .content(let place, let bytes): try write(bytes, at: place)
        case .zeros(let place, let count):
            let zeros = [UInt8](repeating: 0, count: Int(min(count, 1 << 20)))
            let end = place + count
            for part in stride(from: place, to: end, by: zeros.count) {
                try write(zeros.prefix(Int(min(UInt64(zeros.count), end - part))), at: part)
            }
        }
    }
}

extension LVMPool: VolumeDigesting {
    package func digest(of volume: String, mapped: Set<String>) async throws -> String {
        try await passes.digest(
            of: volume, at: tree(of: volume), mapped: mapped)
    }

    package func forgetDigest(of volume: String) async { passes.forgetDigest(of: volume) }
}

extension LVMPool: VolumeIDChanging {
    package func expectIDs(_ change: IDChange, in volume: String) async throws {
        try await passes.ids.expect(change, in: volume, at: tree(of: volume))
    }

    package func settleIDs(of volume: String) async throws {
        try await passes.ids.settle(volume, at: tree(of: volume))
    }
}
