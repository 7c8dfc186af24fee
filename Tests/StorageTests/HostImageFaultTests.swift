import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

/// What is wrong with what is given, with the disk, or with the daemon.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(2)))
struct HostImageFaultTests {
    private func layout(_ path: String, in scratch: String) async throws -> LayoutWriter {
        let layout = try LayoutWriter(at: path)
        let layers = [
            try await layer(in: scratch, "head -c 5000 /dev/urandom >a", compress: "gzip"),
            try await layer(in: scratch, "echo 2 >b", compress: "gzip"),
        ]
        try layout.finish([try layout.putImage(layers)])
        return layout
    }

    @Test func `a layout whose blobs are not what they claim is refused`() async throws {
        try await withScratch { scratch in
            let layout = try await layout(scratch + "/layout", in: scratch)
            let store = try await ImageStore.open(directory: scratch + "/images")
            let image = try await store.take(layout.path, tag: nil)
            try store.sweep(keeping: [])
            for blob in image.blobs {
                let path = "\(layout.path)/blobs/sha256/\(blob.digest.hexadecimal)"
                for damage in [
                    "printf x | dd of=$1 bs=1 seek=9 conv=notrunc status=none", "echo >>$1",
                    "truncate -s -1 $1", "rm $1", "mv $1 $1.away; ln -s $1.away $1",
                ] {
                    try await shell("cp -a $1 $1.good; \(damage)", path)
                    let error = await failure { _ = try await store.take(layout.path, tag: nil) }
                    #expect(error?.code == .badRequest, "\(damage): \(error?.message ?? "taken")")
                    try await shell("rm -f $1 $1.away; mv $1.good $1", path)
                    try store.sweep(keeping: [])
                }
            }
            #expect(try Directories.names(in: scratch + "/images/incoming") == [])
            #expect(try await store.take(layout.path, tag: nil) == image)
        }
    }

    @Test func `a blob that was damaged in the store is found before it is used`() async throws {
        try await withScratch { scratch in
            let layout = try await layout(scratch + "/layout", in: scratch)
            let store = try await ImageStore.open(directory: scratch + "/images")
            let image = try await store.take(layout.path, tag: nil)
            let pool = DirectoryPool(name: "p", path: scratch + "/pool")
            let root = try await pool.createVolume("v")
            let path = try #require(store.layerPaths(of: image).last)
            try await shell("printf x | dd of=$1 bs=1 seek=9 conv=notrunc status=none", path)
            let unpacking = await failure {
                try await store.unpack(image, into: root, idMap: nil)
            }
            #expect(unpacking?.code == .stateUnreadable)
            #expect(try Directories.names(in: root) == [])
            for name in ["out", "out.tar"] {
                let exporting = await failure {
                    try await store.export(image, as: "a", to: "\(scratch)/\(name)")
                }
                #expect(exporting?.code == .stateUnreadable)
            }
            #expect(try Directories.names(in: scratch) == ["images", "layout", "pool"])
        }
    }

    @Test func `what a dead daemon was taking in is removed, what is whole stays`() async throws {
        try await withScratch { scratch in
            let layout = try await layout(scratch + "/layout", in: scratch)
            let first = try await ImageStore.open(directory: scratch + "/images")
            let image = try await first.take(layout.path, tag: nil)
            try await shell(
                "mkdir -p $1/dead/layout; echo half >$1/dead/archive",
                scratch + "/images/incoming")
            let store = try await ImageStore.open(directory: scratch + "/images")
            #expect(try Directories.names(in: scratch + "/images/incoming") == [])
            try store.sweep(keeping: Set(image.blobs.map(\.digest)))
            let kept = try Directories.names(in: scratch + "/images/blobs/sha256")
            #expect(kept == image.blobs.map(\.digest.hexadecimal).sorted())
            try store.sweep(keeping: [])
            #expect(try Directories.names(in: scratch + "/images/blobs/sha256") == [])
        }
    }

    @Test func `an import that is cancelled leaves nothing`() async throws {
        try await withScratch { scratch in
            try await shell(
                "mkdir $1/t; head -c 50M /dev/urandom >$1/t/f; tar -C $1/t -cf $1/a.tar .",
                scratch)
            let store = try await ImageStore.open(directory: scratch + "/images")
            let path = scratch + "/a.tar"
            let task = Task { try await store.take(path, tag: nil) }
            while try Directories.names(in: scratch + "/images/incoming").isEmpty {
                await Task.yield()
            }
            task.cancel()
            await #expect(throws: (any Error).self) { try await task.value }
            #expect(try Directories.names(in: scratch + "/images/incoming") == [])
            #expect(try Directories.names(in: scratch + "/images/blobs/sha256") == [])
        }
    }

    @Test func `a store that is full says so`() async throws {
        try await withScratch { scratch in
            try await shell(
                """
                cd $1; mkdir t; head -c 3M /dev/zero >t/f; tar -C t -cf a.tar .
                gzip -k a.tar; xz -k a.tar
                """, scratch)
            try await withTmpfs(at: scratch + "/full", size: "1m") {
                let store = try await ImageStore.open(directory: scratch + "/full/images")
                for name in ["a.tar", "a.tar.xz", "t"] {
                    let error = await failure {
                        _ = try await store.take("\(scratch)/\(name)", tag: nil)
                    }
                    #expect(error?.code == .noSpace, "\(name): \(error?.message ?? "taken")")
                }
                _ = try await store.take(scratch + "/a.tar.gz", tag: nil)
            }
        }
    }

    @Test(arguments: [
        ("none", nil, "there is no image at"), ("text", nil, "could not be read as a tar archive"),
        ("cut.tar.gz", nil, "could not be read as a tar archive"),
        ("pipe", nil, "neither a directory nor a file"), ("empty", nil, "is empty"),
        ("t.tar", "a", "is no image layout"), ("t", "a", "is no image layout"),
        ("../relative", nil, "not absolute"),
    ])
    func `what is no image is refused with the cause`(
        name: String, tag: String?, message: String
    ) async throws {
        try await withScratch { scratch in
            try await shell(
                """
                cd $1; echo no archive >text; mkfifo pipe; mkdir empty t
                head -c 100000 /dev/urandom >t/f; tar -cf t.tar t
                tar -czf - t | head -c 50000 >cut.tar.gz
                """, scratch)
            let store = try await ImageStore.open(directory: scratch + "/images")
            let path = name.hasPrefix("..") ? name : "\(scratch)/\(name)"
            let error = await failure { _ = try await store.take(path, tag: tag) }
            #expect(error?.code == .badRequest && error?.remedy != nil)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
            #expect(try Directories.names(in: scratch + "/images/incoming") == [])
        }
    }
}
