import Foundation
import LinuxHost
import MigrationCore
import Storage
import Testing

@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(1)))
struct HostRootImporterTests {
    /// An empty volume, and a folder for images beside its pool.
    private func withVolume(_ body: (String, String) async throws -> Void) async throws {
        try await withScratch { scratch in
            let pool = DirectoryPool(name: "p", path: scratch + "/pool")
            let root = try await pool.createVolume("v")
            try Directories.make(scratch + "/images", mode: 0o755)
            try await body(root, scratch + "/images")
            let beside = try Directories.names(in: Directories.parent(of: root))
            #expect(beside == ["rootfs"], "nothing is left beside the volume")
        }
    }

    private func imported(_ path: String, _ root: String, _ map: IDMap? = nil) async throws {
        #expect(
            try await RootImporter().importRoot(from: path, into: root, idMap: map)
                == ImageDefaults())
    }

    @Test func `a directory arrives with all that it holds`() async throws {
        try await withVolume { root, images in
            try await shell(everyKind, images)
            try await imported(images, root)
            #expect(try await differences(images, root) == "")
        }
    }

    @Test(arguments: ["cf a.tar", "czf a.tar.gz", "cJf a.tar.xz", "c --zstd -f a.tar.zst"])
    func `an archive arrives with all that it holds, compressed or not`(
        flags: String
    ) async throws {
        try await withVolume { root, images in
            try await shell("mkdir $1/tree", images)
            try await shell(everyKind, images + "/tree")
            // tar keeps no sockets.
            try await shell(
                """
                cd $1; rm tree/socket; touch -d '2002-02-02 02:02:02' tree
                tar --format=posix --xattrs --xattrs-include='*' --acls --sparse -C tree -\(flags.replacing("a.tar", with: "$PWD/a.tar")) .
                """, images)
            let name = try #require(try Directories.names(in: images).first { $0 != "tree" })
            try await imported("\(images)/\(name)", root)
            #expect(try await differences(images + "/tree", root) == "")
        }
    }

    @Test func `ownership arrives shifted`() async throws {
        try await withVolume { root, images in
            try await shell(
                "mkdir $1/t; cd $1/t; echo x > f; chown 33:44 f; chmod 4755 f; tar -cf ../a.tar .",
                images)
            try await imported(images + "/a.tar", root, IDMap(hostStart: 500_000, count: 65_536))
            let facts = try await shell("cd $1; stat -c '%u %g %a' . f", root)
            #expect(facts == "500000 500000 755\n500033 500044 4755\n")
        }
    }

    @Test func `an id beyond the map leaves the volume empty`() async throws {
        try await withVolume { root, images in
            try await shell("mkdir $1/t; echo x > $1/t/f; chown 70000 $1/t/f", images)
            let map = IDMap(hostStart: 500_000, count: 65_536)
            let error = await failure { try await imported(images + "/t", root, map) }
            #expect(error?.code == .badRequest)
            #expect(try Directories.names(in: root) == [])
        }
    }

    @Test func `a malicious archive writes nothing outside`() async throws {
        try await withVolume { root, images in
            try await shell(
                """
                cd $1; python3 - <<'PYTHON'
                import io, tarfile
                def add(tar, name, kind=tarfile.REGTYPE, link="", data=b"evil"):
                    info = tarfile.TarInfo(name); info.type = kind; info.linkname = link
                    info.mode = 0o755; info.size = len(data) if kind == tarfile.REGTYPE else 0
                    tar.addfile(info, io.BytesIO(data))
                with tarfile.open("links.tar", "w") as tar:
                    add(tar, "way", tarfile.SYMTYPE, "../../../../images")
                    add(tar, "way/evil")
                    add(tar, "absolute", tarfile.SYMTYPE, "'$1'")
                    add(tar, "absolute/evil")
                    add(tar, "/evil-absolute")
                    add(tar, "good")
                with tarfile.open("dots.tar", "w") as tar:
                    add(tar, "good"); add(tar, "../../evil"); add(tar, "a/../../../evil")
                with tarfile.open("hard.tar", "w") as tar:
                    add(tar, "good"); add(tar, "hard", tarfile.LNKTYPE, "../../../../images/victim")
                    add(tar, "hard")
                PYTHON
                echo innocent > victim
                """.replacing("'$1'", with: images), images)
            for name in ["links", "dots", "hard"] {
                _ = await failure { try await imported("\(images)/\(name).tar", root) }
                #expect(
                    try Directories.names(in: images) == [
                        "dots.tar", "hard.tar", "links.tar", "victim",
                    ])
                #expect(try read(images + "/victim") == "innocent\n")
                try await shell(
                    "cd $1/../../../..; [ -z \"$(find . -name 'evil' ! -path '*/rootfs/*')\" ]",
                    root)
                try await shell("cd $1; find . -mindepth 1 -delete", root)
            }
        }
    }

    @Test func `an image layout arrives with what it says about its process`() async throws {
        try await withVolume { root, images in
            try await shell(
                """
                cd $1; umoci init --layout i; umoci new --image i:latest; umoci unpack --image i:latest b 2>/dev/null
                mkdir b/rootfs/bin; echo '#!' > b/rootfs/bin/app; chown 7:8 b/rootfs/bin/app
                umoci repack --image i:latest b 2>/dev/null
                umoci config --image i:latest --config.entrypoint /bin/app --config.cmd serve --config.cmd '-v' \
                  --config.env A=1 --config.env 'B=2 3' --config.workingdir /srv --config.user 7:8
                """, images)
            let defaults = try await RootImporter().importRoot(
                from: images + "/i", into: root, idMap: IDMap(hostStart: 500_000, count: 1_000))
            #expect(defaults.command == ["/bin/app", "serve", "-v"])
            #expect(defaults.environment.contains("A=1") && defaults.environment.contains("B=2 3"))
            #expect(defaults.workingDirectory == "/srv" && defaults.user == "7:8")
            #expect(try await shell("stat -c '%u %g' $1/bin/app", root) == "500007 500008\n")
        }
    }

    @Test(arguments: [
        ("none", "there is no image at"), ("text", "could not be unpacked as a tar archive"),
        ("cut.tar.gz", "could not be unpacked as a tar archive"),
        ("pipe", "neither a directory nor a file"),
        ("empty", "the image is empty"), ("layout", "the image has no file"),
        ("untagged", "has no image"), ("nonsense", "is not what the OCI image specification says"),
        ("escape", "names the digest"),
    ])
    func `what is no image is refused with the cause`(name: String, message: String) async throws {
        try await withVolume { root, images in
            try await shell(
                """
                cd $1; echo no archive > text; mkfifo pipe; mkdir empty tree layout untagged nonsense escape
                head -c 100000 /dev/urandom > tree/f; tar -czf - tree | head -c 50000 > cut.tar.gz
                touch {layout,untagged,nonsense,escape}/oci-layout; echo '{"manifests":[]}' > untagged/index.json
                echo '[' > nonsense/index.json
                tag='"annotations":{"org.opencontainers.image.ref.name":"t"}'
                digest=sha256:$(printf 'ab%.0s' {1..32})
                echo "{\\"manifests\\":[{\\"digest\\":\\"$digest\\",\\"size\\":1,$tag}]}" > layout/index.json
                echo "{\\"manifests\\":[{\\"digest\\":\\"../../etc:passwd\\",$tag}]}" > escape/index.json
                """, images)
            let error = await failure { try await imported("\(images)/\(name)", root) }
            #expect(error?.code == .badRequest)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
            #expect(error?.remedy != nil)
            #expect(try Directories.names(in: root) == [])
        }
    }

    @Test func `a volume that is not empty is left alone`() async throws {
        try await withVolume { root, images in
            try write("x", to: root + "/x")
            try write("y", to: images + "/y")
            let error = await failure { try await imported(images, root) }
            #expect(error?.code == .nameTaken)
            #expect(try Directories.names(in: root) == ["x"])
        }
    }

    @Test func `a directory that holds the pool is not copied into itself`() async throws {
        try await withVolume { root, images in
            let error = await failure { try await imported(Directories.parent(of: images), root) }
            #expect(error?.code == .badRequest)
        }
    }

    @Test func `a pool that is full says so`() async throws {
        try await withScratch { scratch in
            try await withTmpfs(at: scratch + "/t", size: "1m") {
                let pool = DirectoryPool(name: "p", path: scratch + "/t/p")
                let root = try await pool.createVolume("v")
                try await shell("mkdir $1/i; head -c 3M /dev/urandom > $1/i/f", scratch)
                let error = await failure { try await imported(scratch + "/i", root) }
                #expect(error?.code == .noSpace)
                #expect(try await pool.used(by: "v") < .kibibytes(64))
            }
        }
    }
}
