import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// What only an overlay does: layers that volumes share, and that travel once.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(4)))
struct HostOverlayPoolTests {
    private static let idMap = IDMap(hostStart: 231_072, count: 65_536)

    private func pool(_ name: String, in scratch: String) async throws -> any VolumePool {
        try await makePool(.overlay, "p", at: "\(scratch)/\(name)")
    }

    private func fill(
        _ volume: String, of pool: any VolumePool, with image: StoredImage, _ store: ImageStore
    ) async throws -> String {
        let root = try await pool.createVolume(volume)
        let sharing = try #require(pool as? any LayerSharing)
        try await sharing.fill(volume, with: image, from: store, idMap: Self.idMap)
        return root
    }

    private func layers(_ name: String, in scratch: String) throws -> [String] {
        try Directories.names(in: "\(scratch)/\(name)/pools/p/layers")
    }

    /// - Returns: bytes that the source sent for the first pass, and for the delta.
    @discardableResult
    private func travel(
        _ volume: String, from source: any VolumePool, to target: any VolumePool,
        by method: VolumeMethod = .overlay, isNew: Bool = true,
        meanwhile: () async throws -> Void = {}
    ) async throws -> (first: Int, delta: Int) {
        if isNew { _ = try await target.createVolume(volume) }
        let first = try await firstPass(of: volume, from: source, to: target, by: method)
        try await meanwhile()
        let delta = try await carry { stream in
            try await source.sendAfterCheckpoint(
                volume, by: method, mapped: [], over: stream
            ) { _ in }
        } to: { stream in
            try await target.receiveAfterCheckpoint(volume, by: method, from: stream)
        }
        let rest = try await differences(source.path(of: volume), target.path(of: volume))
        #expect(rest == "")
        let digests = try await (
            source.digest(of: volume, mapped: []), target.digest(of: volume, mapped: [])
        )
        #expect(digests.0 == digests.1)
        return (first, delta)
    }

    private func firstPass(
        of volume: String, from source: any VolumePool, to target: any VolumePool,
        by method: VolumeMethod = .overlay, cutAfter: Int? = nil
    ) async throws -> Int {
        try await carry(cutAfter: cutAfter) { stream in
            try await source.sendWhileRunning(volume, by: method, over: stream) { _ in }
        } to: { stream in
            try await target.receiveWhileRunning(volume, by: method, from: stream)
        }
    }

    private func carry(
        cutAfter: Int? = nil,
        _ send: @escaping @Sendable (any ByteStream) async throws -> Void,
        to receive: @escaping @Sendable (any ByteStream) async throws -> Void
    ) async throws -> Int {
        let (one, other) = MemoryStream.pair(cutAfter: cutAfter)
        let received = Task { try await receive(other) }
        let sent = await Task { try await send(one) }.result
        let arrived = await received.result
        try sent.get()
        try arrived.get()
        return one.sent
    }

    @Test func `layers are unpacked once, whatever they remove, and are gone with the last volume`()
        async throws
    {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let image = try await takeImage(in: scratch, store)
            let pool = try await pool("a", in: scratch)
            let one = try await fill("v", of: pool, with: image, store)
            let other = try await fill("w", of: pool, with: image, store)
            #expect(try layers("a", in: scratch).count == 3)
            #expect(try Directories.names(in: one + "/bin") == ["small"])
            #expect(try Directories.names(in: one + "/etc") == ["file", "two"])

            // What a pool without layers makes of it, but for the root's time.
            let plain = DirectoryPool(name: "d", path: "\(scratch)/d")
            let root = try await plain.createVolume("v")
            try await store.unpack(image, into: root, idMap: Self.idMap)
            try await shell("touch -d 2001-01-01 $1 $2 $3", one, other, root)
            for tree in [one, other] {
                let rest = try await differences(root, tree)
                #expect(rest == "")
            }
            try await shell("cd $1; rm -r bin; echo more >etc/file", one)
            #expect(try read(other + "/etc/file") == "one\n")
            #expect(try Directories.names(in: other + "/bin") == ["small"])

            try await pool.deleteVolume("v")
            #expect(try layers("a", in: scratch).count == 3)
            // Also if all that is left is a copy of one that has gone.
            let keeping = try #require(pool as? any VolumeKeeping)
            try await keeping.createSnapshot("s", of: "w")
            try await shell("cd $1; rm -r bin", other)
            try await keeping.keepVolume("w", as: "copy")
            _ = try await pool.createVolume("x")
            try await pool.deleteVolume("x")
            #expect(try layers("a", in: scratch).count == 3)
            _ = try await keeping.takeKept("copy", as: "w")
            #expect(try !Directories.names(in: other).contains("bin"))
            let snapshot = try await keeping.path(of: "s", in: "w")
            #expect(try Directories.names(in: snapshot + "/bin") == ["small"])
            try await pool.deleteVolume("w")
            #expect(try layers("a", in: scratch) == ["empty"])
        }
    }

    @Test func `only layers that the target lacks travel`() async throws {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let image = try await takeImage(in: scratch, store)
            let (source, target) = try await (pool("a", in: scratch), pool("b", in: scratch))
            for volume in ["v", "w", "x"] {
                let root = try await fill(volume, of: source, with: image, store)
                try await shell("echo $2 >$1/etc/own; rm $1/etc/file", root, volume)
            }
            let whole = try await travel("v", from: source, to: target)
            let rest = try await travel("w", from: source, to: target)
            report("of an image with 3 MiB: \(whole.first) bytes, of the second volume \(rest)")
            #expect(whole.first > 3 << 20)
            #expect(rest.first < 64 << 10 && rest.delta < 64 << 10)
            #expect(try layers("b", in: scratch) == layers("a", in: scratch))
            // Back with what has changed, and to a host that has unpacked the image itself.
            try await source.deleteVolume("w")
            #expect(try await travel("w", from: target, to: source).first < 64 << 10)
            let third = try await pool("c", in: scratch)
            _ = try await fill("own", of: third, with: image, store)
            #expect(try await travel("x", from: source, to: third).first < 64 << 10)
        }
    }

    /// In the changes, and in the second of two layers.
    @Test(arguments: [5 << 20, 3 << 20 + 1 << 17])
    func `layers that came before the link broke do not come again`(limit: Int) async throws {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let more = "head -c 1M /dev/urandom >big"
            let image = try await takeImage(in: scratch, store, more: more)
            let (source, target) = try await (pool("a", in: scratch), pool("b", in: scratch))
            let root = try await fill("v", of: source, with: image, store)
            try await shell("head -c 4M /dev/urandom >$1/own", root)
            let keeping = try #require(target as? any VolumeKeeping)
            _ = try await target.createVolume("v")
            let error = await failure {
                _ = try await firstPass(of: "v", from: source, to: target, cutAfter: limit)
            }
            #expect(error?.code == .linkLost)
            try await target.cleanUpAfterReceiving("v")
            #expect(try await target.used(by: "v") >= .mebibytes(limit < 5 << 20 ? 3 : 1))
            #expect(try await target.digest(of: "v", mapped: []) != "")
            try await keeping.keepVolume("v", as: "copy")
            _ = try await keeping.takeKept("copy", as: "v")
            try await source.cleanUpAfterSending("v")
            await keeping.begin("v", upon: .unknown)
            let first = try await travel("v", from: source, to: target, isNew: false).first
            #expect(first < 6 << 20, "\(first)")
        }
    }

    /// To write to one name cuts it from the other here, and not on the target.
    @Test func `a file of a layer with several names is two after one is written to`()
        async throws
    {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let writer = try LayoutWriter(at: "\(scratch)/layout")
            let only = try await layer(
                in: scratch, "mkdir bin lib; echo tool >bin/tool; ln bin/tool lib/tool")
            try writer.finish(["\(try writer.putImage([only]))"])
            let image = try await store.take("\(scratch)/layout", tag: nil)
            let source = try await pool("a", in: scratch)
            let target = DirectoryPool(name: "p", path: "\(scratch)/b")
            let root = try await fill("v", of: source, with: image, store)
            // What is copied up for the first time is looked at as a whole.
            try write("", to: root + "/bin/other")
            try await Task.sleep(for: .milliseconds(150))
            try await travel("v", from: source, to: target, by: .rsync) {
                try await Task.sleep(for: .milliseconds(150))
                try await shell("echo more >>$1/bin/tool", root)
            }
            #expect(try read(target.path(of: "v") + "/bin/tool") == "tool\nmore\n")
            #expect(try read(target.path(of: "v") + "/lib/tool") == "tool\n")
        }
    }

    @Test func `what an instance has removed and put in its place arrives`() async throws {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let image = try await takeImage(in: scratch, store)
            let (source, target) = try await (pool("a", in: scratch), pool("b", in: scratch))
            let root = try await fill("v", of: source, with: image, store)
            try await shell("cd $1; rm -r etc; mkdir etc; echo new >etc/new; rm bin/small", root)
            try await travel("v", from: source, to: target) {
                try await shell("cd $1; rm -r etc bin; mkdir bin; echo late >etc", root)
            }
            let there = target.path(of: "v")
            #expect(try read(there + "/etc") == "late\n")
            #expect(try Directories.names(in: there + "/bin").isEmpty)
        }
    }

    @Test func `a layer that is not what it is called is refused and not kept`() async throws {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let image = try await takeImage(in: scratch, store)
            let (source, target) = try await (pool("a", in: scratch), pool("b", in: scratch))
            _ = try await fill("v", of: source, with: image, store)
            try await shell("echo evil >$1/*/tree/etc/two", "\(scratch)/a/pools/p/layers")
            let error = await failure { try await travel("v", from: source, to: target) }
            #expect(error?.code == .volumeDiffers)
            let arrived = try layers("b", in: scratch)
            #expect(arrived.count == 2 && arrived.contains("empty"), "\(arrived)")
            try await target.deleteVolume("v")
            #expect(try layers("b", in: scratch) == ["empty"])
        }
    }

    @Test func `a pool that is opened after a restart has its volumes and snapshots mounted`()
        async throws
    {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            let image = try await takeImage(in: scratch, store)
            var pool = try await pool("a", in: scratch)
            let root = try await fill("v", of: pool, with: image, store)
            try write("kept", to: root + "/file")
            let keeping = try #require(pool as? any VolumeSnapshotting)
            try await keeping.createSnapshot("one", of: "v")
            let digest = try await pool.digest(of: "v", mapped: [])

            let path = "\(scratch)/a/pools/p"
            for point in try MountedFilesystem.points(below: path) {
                try await Mount.detach(point).check()
            }
            try await shell("mkdir $1/.draft-1 $1/.deleting-1", path + "/layers")
            let lost = await failure { _ = try await pool.digest(of: "v", mapped: []) }
            #expect(lost?.code == .notFound, "an empty mount point was taken for the volume")
            let maker = PoolMaker(stateDirectory: "\(scratch)/a")
            let definition = PoolDefinition(name: "p", kind: .overlay)
            pool = try await maker.open(definition)
            #expect(try await pool.digest(of: "v", mapped: []) == digest)
            let kept = try await keeping.path(of: "one", in: "v")
            #expect(try read(kept + "/file") == "kept")
            let sharing = try #require(pool as? any LayerSharing)
            let copies: [(String, String?)] = [("w", nil), ("x", "one")]
            for (copy, snapshot) in copies {
                let root = try await pool.createVolume(copy)
                try await sharing.fill(copy, as: "v", at: snapshot)
                #expect(try await pool.digest(of: copy, mapped: []) == digest)
                try write("other", to: root + "/file")
                try await pool.deleteVolume(copy)
            }
            #expect(try read(root + "/file") == "kept")
            #expect(try layers("a", in: scratch).count == 3)

            let held = await failure { try await maker.destroy(definition) }
            #expect(held?.code == .busy)
            try await pool.deleteVolume("v")
            try await maker.destroy(definition)
            #expect(try Directories.names(in: "\(scratch)/a/pools").isEmpty)
        }
    }

    @Test func `marks of overlayfs that an archive brings along mean nothing`() async throws {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: "\(scratch)/images")
            try await shell(
                """
                mkdir -p $1/tree/d; cd $1/tree; echo x >d/file
                setfattr -n trusted.overlay.opaque -v y d
                setfattr -n trusted.overlay.redirect -v /etc d
                tar --xattrs --xattrs-include='*' -cf ../tree.tar .
                """, scratch)
            let image = try await store.take("\(scratch)/tree.tar", tag: nil)
            let pool = try await pool("a", in: scratch)
            let root = try await fill("v", of: pool, with: image, store)
            #expect(try read(root + "/d/file") == "x\n")
            let path = "\(scratch)/a/pools/p/layers"
            let marks = try await shell("getfattr -R -h -m trusted.overlay -d $1/*/tree", path)
            #expect(marks == "")
        }
    }

    @Test func `a filesystem that cannot hold changes is refused`() async throws {
        try await withScratch { scratch in
            let pool = try await pool("a", in: scratch)
            let root = try await pool.createVolume("v")
            let maker = PoolMaker(stateDirectory: scratch)
            let definition = PoolDefinition(name: "o", kind: .overlay, source: root + "/inner")
            let error = await failure { _ = try await maker.create(definition) }
            #expect(error?.code == .badRequest)
            #expect(error?.message.contains("the overlay at") == true, "\(error?.message ?? "")")
        }
    }
}

/// Two layers with 3 MiB in all: the second replaces, removes and hides what the first has.
private func takeImage(
    in scratch: String, _ store: ImageStore, more: String = ":"
) async throws -> StoredImage {
    let writer = try LayoutWriter(at: "\(scratch)/layout")
    let lower = try await layer(
        in: scratch,
        """
        mkdir -p etc/old bin; echo one >etc/file; echo x >etc/old/x; chmod 700 etc
        head -c 3M /dev/urandom >bin/big; chown 33:33 etc/file; touch -d 2001-01-01 etc bin .
        """)
    let upper = try await layer(
        in: scratch,
        """
        mkdir etc bin; chmod 711 etc; echo two >etc/two; : >etc/.wh.old; : >bin/.wh..wh..opq
        echo s >bin/small; \(more); touch -d 2002-02-02 etc bin
        """)
    try writer.finish(["\(try writer.putImage([lower, upper]))"])
    return try await store.take("\(scratch)/layout", tag: nil)
}
