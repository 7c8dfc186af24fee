import Foundation
import LinuxHost
import MigrationCore
import TestSupport
import Testing

/// Images with the real daemon, runc and CRIU.
@Suite(.enabled(if: getuid() == 0), .timeLimit(.minutes(3)))
struct HostImageTests {
    @Test func `images are launched from, and what runs from them moves`() async throws {
        try await MoveLab.with { moving in
            let (lab, work) = (moving.lab, try await given(in: moving.lab))
            try await lab.check("a", ["image", "import", "\(work)/services.tar", "counter"])
            try await lab.check("a", ["image", "import", "\(work)/layout", "box"])
            let counter = try await image("counter", lab)
            #expect(counter.layers.count == 1 && counter.origin == .archive)
            let box = try await image("box", lab)
            #expect(box.layers.count == 2 && box.defaults.command == ["/bin/sh", "/serve"])

            try await lab.check(
                "a", ["launch", "counter", "web", "--", "python3", "-c", MoveLab.counting])
            // By the beginning of its digest, with the command that the image says.
            try await lab.check("a", ["launch", box.digest.short, "box"])
            let files = try await lab.check("a", ["exec", "box", "--", "/bin/sh", "-c", "echo /*"])
            #expect(files.contains("/serve") && !files.contains("/unwanted"))
            #expect(!files.contains(".wh."))

            _ = try await lab.move("web", from: "a", to: "b")
            try await moving.whole(on: "b", after: 2)
            _ = try await lab.move("box", from: "a", to: "b")
            for (name, image) in [("web", counter), ("box", box)] {
                let info = try await lab.check("b", ["info", name])
                #expect(info.contains("(\(image.digest))") && info.contains("running"))
            }
            try await exportsAndReturns("counter", counter, "\(work)/counter.tar", lab)
            try await exportsAndReturns("box", box, "\(work)/box", lab)
            for name in ["counter", "box"] { try await lab.check("a", ["image", "delete", name]) }
            #expect(try blobs(lab) == [])
        }
    }

    /// Exported, deleted and imported again it is what it was.
    private func exportsAndReturns(
        _ name: String, _ before: StoredImage, _ path: String, _ lab: Lab
    ) async throws {
        try await lab.check("a", ["image", "export", name, path])
        try await lab.check("a", ["image", "delete", name])
        let gone = try await lab.godwit("a", ["image", "info", name])
        #expect(gone.errorText.contains("(not-found)"))
        try await lab.check("a", ["image", "import", path, name])
        let after = try await image(name, lab)
        #expect(after.digest == before.digest && after.layers == before.layers)
    }

    @Test func `images outlive daemons, also one that is killed while it takes one in`()
        async throws
    {
        try await Lab.with(hosts: ["a"]) { lab in
            try await lab.startDaemons()
            let work = try await given(in: lab)
            try await lab.check("a", ["image", "import", "\(work)/layout", "box"])
            let box = try await image("box", lab)
            async let broken = lab.godwit("a", ["image", "import", "\(work)/services.tar", "x"])
            let incoming = lab.host("a").path("/var/lib/godwit/images/incoming")
            try await eventually("an import is under way") {
                try !FileManager.default.contentsOfDirectory(atPath: incoming).isEmpty
            }
            try await lab.stopDaemon(on: "a", signal: SIGKILL)
            #expect(try await !broken.status.isSuccess)
            try await lab.startDaemon(on: "a")
            #expect(try FileManager.default.contentsOfDirectory(atPath: incoming).isEmpty)
            #expect(try blobs(lab) == box.blobs.map(\.digest.hexadecimal).sorted())
            let listed = try await lab.check("a", ["image", "list"])
            #expect(listed.contains("box") && !listed.contains("\nx "))

            try await lab.check("a", ["launch", "box", "one"])
            let unknown = try await lab.godwit("a", ["launch", "nothing", "two"])
            #expect(unknown.status == .exited(66))
            #expect(unknown.errorText.contains("no image of this host is called nothing"))
            #expect(unknown.errorText.contains("no file nothing here"))
            // As before there were images: a word that names what is in the working directory.
            let script = "cd \(work) && exec \(lab.settings.godwit) launch layout two --no-start"
            try await lab.host("a").check(["sh", "-c", script])
            let two = try await lab.check("a", ["info", "two"])
            #expect(!two.contains("Image:"))
        }
    }

    /// An archive that python3 runs in, and a layout of two layers as umoci writes it, the second
    /// of which takes something away.
    private func given(in lab: Lab) async throws -> String {
        let work = lab.directory + "/given"
        let services = try await RootFilesystem.services.path()
        let tiny = try await RootFilesystem.tiny.path()
        let script = """
            mkdir "$1"; cd "$1"; tar -C "$2" --xattrs --acls -cf services.tar .
            umoci init --layout layout; umoci new --image layout:latest
            umoci unpack --image layout:latest bundle
            cp -a "$3/." bundle/rootfs/; touch bundle/rootfs/unwanted
            umoci repack --refresh-bundle --image layout:latest bundle
            rm bundle/rootfs/unwanted; echo 'while :; do sleep 1; done' >bundle/rootfs/serve
            umoci repack --image layout:latest bundle; rm -r bundle
            umoci config --image layout:latest --config.cmd /bin/sh --config.cmd /serve
            """
        try await Command("bash", ["-euc", script, "sh", work, services, tiny]).check()
        return work
    }

    private func image(_ name: String, _ lab: Lab) async throws -> StoredImage {
        let text = try await lab.check("a", ["image", "info", name, "--format", "json"])
        return try JSONDecoder().decode(ImageView.self, from: Data(text.utf8)).image
    }

    private func blobs(_ lab: Lab) throws -> [String] {
        let path = lab.host("a").path("/var/lib/godwit/images/blobs/sha256")
        return try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }
}
