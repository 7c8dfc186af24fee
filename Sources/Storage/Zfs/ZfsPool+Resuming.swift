import LinuxHost
package import MigrationCore
import Synchronization

/// A first pass that broke, of which the target may have kept what had come. Its snapshot stays.
struct BrokenPass: Sendable {
    let pass: ZfsPass
    let since: FileTime
}

/// Between pools of OpenZFS a first pass that breaks goes on where it was (zfs-receive(8), `-s`).
///
/// The target keeps what has come in the dataset into which it came; a token that it has of that
/// tells the source the rest. The source keeps the snapshot, for a day at most and only as long as
/// the daemon runs.
extension ZfsPool: PassResuming {
    package func removeBrokenPasses(before moment: Timestamp) async throws {
        let old = broken.withLock { broken in
            broken.filter { $0.value.since.milliseconds < moment.milliseconds }.map(\.key)
        }
        for volume in old { try await forgetBrokenPass(of: volume) }
    }

    package func forgetBrokenPass(of volume: String) async throws {
        guard let old = broken.withLock({ $0[volume]?.pass }) else { return }
        if try await tools.exists(old.path) { try await tools.run(tools.zfs.destroy(old.path)) }
        broken.withLock { broken in
            if broken[volume]?.pass.name == old.name { broken[volume] = nil }
        }
    }

    /// What is missing at the target of a pass that broke; nil where all has to be sent.
    ///
    /// The target may have made up the token, and `zfs` sends whatever it names: that must be the
    /// snapshot of that pass, and all of it.
    func rest(of volume: String, for token: String?) async throws -> ZfsPass? {
        guard let token, var pass = broken.withLock({ $0[volume]?.pass }) else { return nil }
        let result = try await tools.zfs.contents(of: token).run()
        guard result.status.isSuccess,
            ResumeToken(result.output)?.names(pass.path, guid: pass.guid) == true
        else { return nil }
        pass.token = token
        // It is on its way again.
        broken.withLock { _ = $0.removeValue(forKey: volume) }
        return pass
    }

    /// Nothing goes on with it.
    func remove(_ partial: ZfsPartial?) async throws {
        if let partial { try await tools.run(tools.zfs.destroyAll(partial.path)) }
    }

    /// Whether the zpool can; one that was made without features cannot (zpool-features(7)).
    func keepsPartial() async throws -> Bool {
        let name = names.parent.split(separator: "/").first.map(String.init) ?? ""
        let state = try await tools.zpool.value(of: "feature@extensible_dataset", in: name).check()
        return ["enabled\n", "active\n"].contains(state)
    }

    /// What has come of a stream that broke.
    func partial(_ found: ZfsVolume) async throws -> ZfsPartial? {
        for fresh in found.datasets(ZfsNames.fresh) where await tools.isModern() {
            let values = try await tools.values(["receive_resume_token"], of: fresh.path)
            if let token = values?.first, ZfsNote.isToken(token) {
                return ZfsPartial(path: fresh.path, token: token, referenced: fresh.referenced)
            }
        }
        return nil
    }
}

/// A dataset into which a stream has not come to its end.
struct ZfsPartial: Sendable {
    let path: String
    let token: String
    let referenced: ByteCount
}

/// What a token says of itself: lines `name = value`, or a name alone, indented, between others.
///
/// Who made it up may have put line ends into values, and zeros of compressed padding before them.
package struct ResumeToken: Equatable, Sendable {
    private let values: [String: String]

    /// - Returns: nil for what says one thing twice, what is not known here, and what is longer
    ///   than any that is real.
    package init?(_ said: [UInt8]) {
        guard said.count <= Limit.resumeToken else { return nil }
        var values: [String: String] = [:]
        for line in said.split(separator: 0x0a) where line.first == 0x09 {
            // A carriage return and a line feed would be one character of a string.
            guard line.dropFirst().allSatisfy({ (0x20...0x7e).contains($0) }) else { return nil }
            let text = String(decoding: line.dropFirst(), as: UTF8.self)
            let parts = text.split(separator: " = ", maxSplits: 1).map(String.init)
            guard let name = parts.first, Self.known.contains(name), values[name] == nil else {
                return nil
            }
            values[name] = parts.count == 2 ? parts[1] : ""
        }
        self.values = values
    }

    /// Whether it is of all of that snapshot, and of none else.
    package func names(_ snapshot: String, guid: String) -> Bool {
        guard let guid = UInt64(guid) else { return false }
        return values["toname"] == snapshot && values["toguid"] == "0x" + String(guid, radix: 16)
    }

    /// Without those of streams that build upon another snapshot, or leave something out.
    private static let known: Set = [
        "object", "offset", "bytes", "toguid", "toname", "embedok", "compressok", "largeblockok",
    ]
}

extension ZfsPass {
    /// Whether what has come may be at the target, for as long as its snapshot stays.
    func canGoOn(after error: any Error) -> Bool {
        guard isCompressed, base == nil else { return false }
        return error is CancellationError || (error as? GodwitError)?.code == .linkLost
    }
}
