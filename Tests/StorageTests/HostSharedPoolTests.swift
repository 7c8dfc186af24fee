import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// Volumes that two hosts see: nothing travels, and only whose they are may touch them.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostSharedPoolTests {
    private typealias SharingPool = PoolDriver & VolumeSending & VolumeReceiving & VolumeSharing

    /// The pool of a host whose daemon keeps its state in `state`.
    private func pool(
        _ state: String, _ scratch: String, at source: String = "ground"
    ) async throws -> any SharingPool {
        let maker = PoolMaker(stateDirectory: "\(scratch)/\(state)")
        let definition = PoolDefinition(
            name: "p", kind: .shared, source: "\(scratch)/\(source)")
        return try #require(
            try await maker.open(maker.create(definition)) as? any SharingPool)
    }

    /// - Returns: bytes that the source said, and the errors of both.
    private func pass(
        _ source: any SharingPool, _ target: any SharingPool
    ) async throws -> (sent: Int, errors: [GodwitError.Code?]) {
        let (one, other) = MemoryStream.pair()
        let received = Task {
            await failure { try await target.receiveWhileRunning("v", by: .shared, from: other) }
        }
        let sent = await failure {
            try await source.sendWhileRunning("v", by: .shared, over: one) { _ in }
        }
        return (one.sent, [sent?.code, await received.value?.code])
    }

    @Test func `a volume is everybody's to see and its owner's to delete`() async throws {
        try await withScratch { scratch in
            let (one, other) = try await (pool("a", scratch), pool("b", scratch))
            let root = try await one.createVolume("v")
            try write("x", to: root + "/file")
            #expect(await other.hasVolume("v"))
            #expect(other.path(of: "v") == root)
            let taken = await failure { _ = try await other.createVolume("v") }
            #expect(taken?.code == .nameTaken)

            try await other.deleteVolume("v")
            try await other.leaveVolume("v")
            let renamed = await failure { try await other.renameVolume("v", to: "w") }
            #expect(renamed?.code == .notFound)
            let offered = await failure { _ = try await other.makeToken(for: "v") }
            #expect(offered?.code == .busy)
            #expect(try read(root + "/file") == "x")

            try await other.takeVolume("v")
            try await one.deleteVolume("v")
            try await one.leaveVolume("v")
            #expect(try read(root + "/file") == "x")
            try await other.renameVolume("v", to: "w")
            try await other.deleteVolume("w")
            #expect(await !one.hasVolume("w"))
            try await one.deleteVolume("w")
            let lost = await failure { try await one.takeVolume("w") }
            #expect(lost?.code == .notFound)
        }
    }

    @Test func `a pass shows that both see the same, and reads and writes nothing else`()
        async throws
    {
        try await withScratch { scratch in
            let (one, other) = try await (pool("a", scratch), pool("b", scratch))
            let root = try await one.createVolume("v")
            try await shell("head -c 4M /dev/urandom >$1/big; chmod 0 $1/big", root)
            let before = try await TreeDigest().digest(of: root)
            let (sent, errors) = try await pass(one, other)
            #expect(sent < 256 && errors == [nil, nil])
            #expect(try await TreeDigest().digest(of: root) == before)
            // Nobody has taken what was offered: it is not the source's to remove.
            try await one.leaveVolume("v")
            #expect(await other.hasVolume("v"))
            // With custody again it is, once its files have travelled.
            try await one.takeVolume("v")
            try await one.cleanUpAfterSending("v")
            try await other.cleanUpAfterReceiving("v")
            let names = try Directories.names(in: Directories.parent(of: root))
            #expect(names == ["owner", "rootfs"])
            try await one.leaveVolume("v")
            #expect(await !other.hasVolume("v"))
        }
    }

    @Test func `another directory, or another token, is not taken for the same`() async throws {
        try await withScratch { scratch in
            let one = try await pool("a", scratch)
            let elsewhere = try await pool("b", scratch, at: "elsewhere")
            let root = try await one.createVolume("v")
            _ = try await elsewhere.createVolume("v")
            let token = try await one.makeToken(for: "v")
            #expect(await !elsewhere.sees(token, of: "v"))
            let (_, errors) = try await pass(one, elsewhere)
            #expect(errors == [.volumeDiffers, .volumeDiffers])

            let other = try await pool("b", scratch)
            let newest = try await one.makeToken(for: "v")
            #expect(await other.sees(newest, of: "v"))
            let wrong = [
                token, SharedToken(name: newest.name, value: token.value),
                SharedToken(name: "../owner", value: newest.value),
                SharedToken(name: "", value: ""),
            ]
            for token in wrong { #expect(await !other.sees(token, of: "v")) }
            for volume in ["../v", "none"] { #expect(await !other.sees(newest, of: volume)) }
            // A host with the same state could not be told from this one when it has to let go.
            #expect(await !one.sees(newest, of: "v"))
            #expect(try Directories.names(in: Directories.parent(of: root)).count == 3)
        }
    }

    @Test func `a volume leaves a shared directory as any other does`() async throws {
        try await withScratch { scratch in
            let one = try await pool("a", scratch)
            let root = try await one.createVolume("v")
            try await shell(everyKind, root)
            _ = try await pass(one, pool("b", scratch))
            let target = DirectoryPool(name: "d", path: "\(scratch)/d")
            let there = try await target.createVolume("v")
            let (stream, end) = MemoryStream.pair()
            let received = Task {
                try await target.receiveWhileRunning("v", by: .rsync, from: end)
            }
            try await one.sendWhileRunning("v", by: .rsync, over: stream) { _ in }
            try await received.value
            let rest = try await differences(root, there)
            #expect(rest == "")
            try await one.leaveVolume("v")
            #expect(await !one.hasVolume("v"))
        }
    }

    @Test func `a pool is made by each host, and removed by none`() async throws {
        try await withScratch { scratch in
            let maker = PoolMaker(stateDirectory: "\(scratch)/a")
            let without = await failure {
                _ = try await maker.create(PoolDefinition(name: "p", kind: .shared))
            }
            #expect(without?.code == .badRequest)
            let (one, other) = try await (pool("a", scratch), pool("b", scratch))
            _ = try await other.createVolume("v")
            let definition = PoolDefinition(
                name: "p", kind: .shared, source: "\(scratch)/ground")
            try await maker.destroy(definition)
            #expect(await one.hasVolume("v"))
            // Who a host is does not change with its daemon.
            try await pool("b", scratch).deleteVolume("v")
            #expect(await !one.hasVolume("v"))
        }
    }
}
