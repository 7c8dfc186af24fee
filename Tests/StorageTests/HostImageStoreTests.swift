import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(2)))
struct HostImageStoreTests {
    private let map = IDMap(hostStart: 500_000, count: 65_536)

    /// A store, a folder for what is taken in, and afterwards a look at what was left.
    private func withStore(_ body: (ImageStore, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let store = try await ImageStore.open(directory: scratch + "/images")
            try Directories.make(scratch + "/given", mode: 0o755)
            try await body(store, scratch + "/given")
            #expect(try Directories.names(in: scratch + "/images/incoming") == [])
            #expect(try Directories.names(in: scratch + "/images") == ["blobs", "incoming"])
        }
    }

    private func blobs(beside given: String) throws -> [String] {
        try Directories.names(in: given + "/../images/blobs/sha256")
    }

    /// A volume that the image is unpacked into.
    private func unpacked(
        _ image: StoredImage, _ store: ImageStore, _ given: String, _ map: IDMap? = nil
    ) async throws -> String {
        let pool = DirectoryPool(name: "p", path: given + "/../pool")
        try await pool.deleteVolume("v")
        let root = try await pool.createVolume("v")
        try await store.unpack(image, into: root, idMap: map)
        #expect(try Directories.names(in: Directories.parent(of: root)) == ["rootfs"])
        return root
    }

    @Test(arguments: ["cf a.tar", "czf a.tar.gz", "cJf a.tar.xz", "c --zstd -f a.tar.zst"])
    func `an archive becomes an image of one layer, with all that it holds`(
        flags: String
    ) async throws {
        try await withStore { store, given in
            try await shell("mkdir $1/tree", given)
            try await shell(everyKind, given + "/tree")
            // tar keeps no sockets.
            try await shell(
                """
                cd $1; rm tree/socket; touch -d '2002-02-02 02:02:02' tree
                tar --format=posix --xattrs --xattrs-include='*' --acls --sparse -C tree -\(flags.replacing("a.tar", with: "$PWD/a.tar")) .
                """, given)
            let name = try #require(try Directories.names(in: given).first { $0 != "tree" })
            let image = try await store.take("\(given)/\(name)", tag: nil)
            #expect(image.origin == .archive && image.layers.count == 1)
            let layer = try #require(image.layers.first)
            let expected: ImageLayer.Compression =
                name.hasSuffix("gz") ? .gzip : name.hasSuffix("zst") ? .zstd : .none
            #expect(layer.compression == expected)
            let plain = try await shell(
                "case $1 in *gz) c=gzip;; *xz) c=xz;; *zst) c=zstd;; *) c=cat;; esac; "
                    + "if [ $c = cat ]; then cat $1; else $c -dc $1; fi | sha256sum | cut -c-64",
                "\(given)/\(name)")
            #expect(layer.contentDigest.hexadecimal + "\n" == plain)
            #expect(try await store.take("\(given)/\(name)", tag: nil) == image)
            #expect(try blobs(beside: given) == image.blobs.map(\.digest.hexadecimal).sorted())
            #expect(
                store.layerPaths(of: image).map { $0.hasSuffix(layer.blob.digest.hexadecimal) } == [
                    true
                ])
            let root = try await unpacked(image, store, given)
            #expect(try await differences(given + "/tree", root) == "")
        }
    }

    @Test func `a directory becomes the same image each time`() async throws {
        try await withStore { store, given in
            try await shell("mkdir $1/tree", given)
            try await shell(everyKind, given + "/tree")
            try await shell("rm $1/tree/socket; touch -d '2002-02-02 02:02:02' $1/tree", given)
            let image = try await store.take(given + "/tree", tag: nil)
            #expect(image.origin == .directory)
            try await shell("cp -a $1/tree $1/copy", given)
            #expect(try await store.take(given + "/copy", tag: nil) == image)
            let root = try await unpacked(image, store, given)
            #expect(try await differences(given + "/tree", root) == "")
            let error = await failure { _ = try await store.take("/", tag: nil) }
            #expect(error?.code == .badRequest)
            #expect(error?.message.contains("holds the images itself") == true)
        }
    }

    @Test(arguments: [nil, "gzip", "zstd"])
    func `layers lie over one another, and remove what they mark`(
        compress: String?
    ) async throws {
        try await withStore { store, given in
            let layout = try LayoutWriter(at: given + "/layout")
            let layers = [
                try await layer(
                    in: given,
                    """
                    mkdir -p dir/deep etc; echo 1 >dir/x; echo 1 >dir/deep/y; echo 1 >gone
                    mkdir was; echo 1 >was/z; echo 1 >kept; chown 7:8 kept; chmod 1777 dir
                    ln -s / escape
                    """, compress: compress),
                try await layer(
                    in: given,
                    """
                    mkdir dir; chmod 1777 dir; touch dir/.wh..wh..opq .wh.gone .wh.was; echo 2 >dir/new
                    mkdir etc; echo 2 >etc/passwd
                    """, compress: compress),
                try await layer(in: given, "echo 3 >gone; ln gone link", compress: "gzip"),
            ]
            let process = #"{"Cmd": ["a", "b"], "Env": ["A=1"], "User": "7:8", "WorkingDir": ""}"#
            let entry = try layout.putImage(layers, process: process)
            try layout.finish([entry + LayoutWriter.tag("latest")])
            let image = try await store.take(layout.path, tag: nil)
            #expect(
                image.layers.map(\.contentDigest.description)
                    == layers.map { LayoutWriter.digest($0.content) })
            #expect(image.created == Timestamp(milliseconds: 1_714_979_289_000))
            #expect(
                image.defaults
                    == ImageDefaults(command: ["a", "b"], environment: ["A=1"], user: "7:8"))
            let root = try await unpacked(image, store, given, map)
            let found = try await shell(
                "cd $1; find . -mindepth 1 -printf '%P %U %m %l\\n' | sort", root)
            #expect(
                found == """
                    dir 500000 1777 
                    dir/new 500000 644 
                    escape 500000 777 /
                    etc 500000 755 
                    etc/passwd 500000 644 
                    gone 500000 644 
                    kept 500007 644 
                    link 500000 644 

                    """)
            #expect(try await shell("cd $1; cat gone link dir/new", root) == "3\n3\n2\n")
        }
    }

    @Test func `of an index for several processors the own one is taken`() async throws {
        try await withStore { store, given in
            let layout = try LayoutWriter(at: given + "/layout")
            let own = try await layer(in: given, "echo own >which")
            let other = try await layer(in: given, "echo other >which")
            let inner = try layout.putIndex([
                try layout.putImage([other], architecture: "s390x")
                    + LayoutWriter.platform("s390x"),
                try layout.putImage([own], process: #"{"Cmd": ["own"]}"#)
                    + LayoutWriter.platform(LayoutWriter.own),
                try layout.putImage([other]) + LayoutWriter.platform("unknown", os: "unknown"),
            ])
            try layout.finish([
                inner + LayoutWriter.tag("all"),
                try layout.putImage([other]) + LayoutWriter.tag("other"),
                try layout.putImage([other], architecture: "s390x")
                    + LayoutWriter.platform("s390x") + LayoutWriter.tag("foreign"),
            ])
            let image = try await store.take(layout.path, tag: "all")
            #expect(image.defaults.command == ["own"])
            let root = try await unpacked(image, store, given)
            #expect(try read(root + "/which") == "own\n")
            let several = await failure { _ = try await store.take(layout.path, tag: nil) }
            #expect(several?.message.contains("all, foreign, other") == true)
            #expect(several?.remedy == "say which with --tag")
            let foreign = await failure { _ = try await store.take(layout.path, tag: "foreign") }
            #expect(foreign?.message.contains("no image for linux/\(LayoutWriter.own)") == true)
            #expect(foreign?.remedy?.contains("linux/s390x") == true)
            let none = await failure { _ = try await store.take(layout.path, tag: "none") }
            #expect(none?.code == .badRequest && none?.remedy?.contains("foreign") == true)
        }
    }

    @Test func `what an image was exported as is the same image again`() async throws {
        try await withStore { store, given in
            let layout = try LayoutWriter(at: given + "/layout")
            let layers = [
                try await layer(in: given, "echo 1 >a", compress: "gzip"),
                try await layer(in: given, "echo 2 >b"),
            ]
            try layout.finish([try layout.putImage(layers)])
            try await shell("mkdir $1/t; echo x >$1/t/f; tar -C $1/t -czf $1/a.tar.gz .", given)
            for path in [layout.path, given + "/a.tar.gz"] {
                let image = try await store.take(path, tag: nil)
                for form in ["out", "out.tar"] {
                    let out = "\(given)/\(form)"
                    // Somebody else's, whatever it is called.
                    try write("mine", to: out + ".partial")
                    try await store.export(image, as: "web", to: out)
                    #expect(try read(out + ".partial") == "mine")
                    let other = try await ImageStore.open(directory: given + "/other")
                    let again = try await other.take(out, tag: "web")
                    #expect(again.digest == image.digest && again.layers == image.layers)
                    #expect(again.defaults == image.defaults)
                    let transport = form == "out" ? "oci" : "oci-archive"
                    let seen = try await shell(
                        "skopeo inspect --raw $1 | sha256sum | cut -c-64",
                        "\(transport):\(out):web")
                    #expect(seen == image.digest.hexadecimal + "\n")
                    if form == "out" {
                        #expect(try await shell("umoci ls --layout $1", out) == "web\n")
                    }
                    let taken = await failure {
                        try await store.export(image, as: "web", to: out)
                    }
                    #expect(taken?.code == .nameTaken)
                    try await shell("rm -r $1 $2", out, given + "/other")
                    let names = try Directories.names(in: given)
                    #expect(!names.contains { $0.contains("godwit-export") })
                }
            }
        }
    }

    @Test func `what skopeo and umoci write is taken in`() async throws {
        try await withStore { store, given in
            try await shell(
                """
                cd $1; umoci init --layout i; umoci new --image i:base; umoci unpack --image i:base b 2>/dev/null
                for n in 1 2; do
                    echo $n >b/rootfs/$n; rm -f b/rootfs/$((n - 1))
                    umoci repack --image i:base b --refresh-bundle 2>/dev/null
                done
                umoci config --image i:base --config.cmd serve --config.user 7
                skopeo --insecure-policy copy --quiet oci:i:base oci:s:latest
                skopeo --insecure-policy copy --quiet oci:i:base oci-archive:s.tar:latest
                """, given)
            let image = try await store.take(given + "/s", tag: nil)
            #expect(image.layers.count == 2 && image.defaults.command == ["serve"])
            #expect(try await store.take(given + "/s.tar", tag: "latest") == image)
            let root = try await unpacked(image, store, given)
            #expect(try Directories.names(in: root) == ["2"])
        }
    }
}
