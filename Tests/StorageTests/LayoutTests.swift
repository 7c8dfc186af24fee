import Foundation
import MigrationCore
import Storage
import TestSupport
import Testing

/// What is read of an image layout before any layer is looked at.
@Suite struct LayoutTests {
    private let allowed: Set<GodwitError.Code> = [.badRequest, .limitExceeded]

    /// What reading ended with; nil if it was an image.
    private func outcome(
        _ layout: LayoutWriter, _ choice: OCILayout.Choice = .first
    ) -> GodwitError? {
        do {
            _ = try OCILayout(path: layout.path).image(choice)
            return nil
        } catch {
            guard let error = error as? GodwitError else {
                return GodwitError(.internalFault, "\(error)")
            }
            return error
        }
    }

    private let plain = "application/vnd.oci.image.layer.v1.tar"

    private func manifest(
        _ layout: LayoutWriter, config: String = "{}", layers: String = "[]"
    ) throws {
        let configured = try layout.put(Data(config.utf8), "c")
        let text = #"{"schemaVersion": 2, "config": {\#(configured)}, "layers": \#(layers)}"#
        try layout.finish([try layout.put(Data(text.utf8), "m")])
    }

    private func blob(_ type: String, size: String = "1") -> String {
        let digest = "sha256:" + String(repeating: "a", count: 64)
        return #"{"mediaType": "\#(type)", "digest": "\#(digest)", "size": \#(size)}"#
    }

    private func config(_ count: Int, _ more: String = "") -> String {
        let digest = "\"sha256:" + String(repeating: "b", count: 64) + "\""
        let all = Array(repeating: digest, count: count).joined(separator: ",")
        return #"{"rootfs": {"diff_ids": [\#(all)]}\#(more)}"#
    }

    @Test func `Docker's words for layers are OCI's`() async throws {
        try await withScratch { scratch in
            let layout = try LayoutWriter(at: scratch + "/l")
            let types = [
                plain, plain + "+gzip", plain + "+zstd",
                "application/vnd.docker.image.rootfs.diff.tar",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            ]
            let layers = "[" + types.map { blob($0) }.joined(separator: ",") + "]"
            try manifest(layout, config: config(types.count), layers: layers)
            let image = try OCILayout(path: layout.path).image(.only)
            #expect(image.layers.map(\.compression) == [.none, .gzip, .zstd, .none, .gzip])
        }
    }

    @Test func `bounds are held`() async throws {
        try await withScratch { scratch in
            let layout = try LayoutWriter(at: scratch + "/l")
            let one = "[\(blob(plain))]"
            let cases: [(String, String, GodwitError.Code)] = [
                (config(1, #", "os": "windows""#), one, .badRequest),
                (config(0), "[]", .badRequest), (config(2), one, .badRequest),
                (config(1), "[\(blob("application/vnd.cncf.helm.chart"))]", .badRequest),
                (config(1), "[\(blob(plain, size: "-1"))]", .badRequest),
                (config(1), "[\(blob(plain, size: "1e30"))]", .badRequest),
                (config(1), "[\(blob(plain, size: "18446744073709551615"))]", .limitExceeded),
                (
                    config(600),
                    "[" + Array(repeating: blob(plain), count: 600).joined(separator: ",") + "]",
                    .limitExceeded
                ),
                (
                    config(1, #", "config": {"Cmd": [\#(words(2_000))]}"#), one,
                    .limitExceeded
                ),
                (
                    config(1, #", "config": {"Env": [\#(words(2_000))]}"#), one,
                    .limitExceeded
                ),
                (
                    config(
                        1, #", "config": {"User": "\#(String(repeating: "u", count: 40_000))"}"#),
                    one, .limitExceeded
                ),
                (config(1, #", "config": {"Cmd": ["a\u0000b"]}"#), one, .limitExceeded),
                (
                    config(1, ", \"x\": " + String(repeating: "[", count: 100_000)), one,
                    .badRequest
                ),
                (
                    config(1, ", \"x\": \"" + String(repeating: "y", count: 5 << 20) + "\""), one,
                    .limitExceeded
                ),
            ]
            for (number, (config, layers, code)) in cases.enumerated() {
                try manifest(layout, config: config, layers: layers)
                #expect(outcome(layout)?.code == code, "case \(number)")
            }
            try manifest(layout, config: config(1), layers: one)
            #expect(outcome(layout) == nil)
        }
    }

    private func words(_ count: Int) -> String {
        Array(repeating: "\"w\"", count: count).joined(separator: ",")
    }

    @Test func `indexes in one another end`() async throws {
        try await withScratch { scratch in
            let layout = try LayoutWriter(at: scratch + "/l")
            var entry = try layout.putImage([.init(archive: Data(), content: Data())])
            for depth in 1...6 {
                try layout.finish([entry])
                #expect((outcome(layout)?.code == .limitExceeded) == (depth > 4), "\(depth)")
                entry = try layout.putIndex([entry])
            }
            let many = Array(repeating: entry, count: 2_000)
            try layout.finish(many)
            #expect(outcome(layout)?.code == .limitExceeded)
        }
    }

    @Test func `mutated documents end in an error of ours or are read`() async throws {
        try await withScratch { scratch in
            let layout = try LayoutWriter(at: scratch + "/l")
            let process = #"{"Cmd": ["a"], "Env": ["A=1"], "User": "1", "WorkingDir": "/"}"#
            let layer = LayoutWriter.Layer(archive: Data("x".utf8), content: Data("x".utf8))
            let entry = try layout.putImage([layer, layer], process: process)
            try layout.finish([
                entry + LayoutWriter.tag("a") + LayoutWriter.platform(LayoutWriter.own)
            ])
            let image = try OCILayout(path: layout.path).image(.tag("a"))
            let folder = layout.path + "/blobs/sha256/"
            let documents = try [
                layout.path + "/index.json", folder + image.digest.hexadecimal,
                folder + image.config.digest.hexadecimal,
            ].map { Array(try Data(contentsOf: URL(filePath: $0))) }
            var ends: [GodwitError.Code: Int] = [:]
            var read = 0
            for seed in UInt64(0)..<3_000 {
                var random = SplitMix64(seed: seed)
                try rewrite(documents, in: layout, &random)
                if let code = outcome(layout)?.code {
                    #expect(allowed.contains(code), "seed \(seed): \(code)")
                    ends[code, default: 0] += 1
                } else {
                    read += 1
                }
            }
            #expect(read > 100 && ends[.badRequest, default: 0] > 500, "\(read) \(ends)")
        }
    }

    /// Mutates one of index, manifest and configuration, and names it anew in those above it.
    private func rewrite(
        _ documents: [[UInt8]], in layout: LayoutWriter, _ random: inout SplitMix64
    ) throws {
        let victim = random.below(3)
        var below = documents[2]
        if victim == 2 { mutate(&below, &random) }
        for level in [1, 0] {
            let old = LayoutWriter.digest(Data(documents[level + 1]))
            let members = try layout.put(Data(below), "m")
            let new = LayoutWriter.digest(Data(below))
            var text = String(decoding: documents[level], as: UTF8.self)
                .replacing(old, with: new)
            text = text.replacing(
                "\"\(new)\", \"size\": \(documents[level + 1].count)",
                with: "\"\(new)\", \"size\": \(below.count)")
            #expect(members.contains(new))
            below = Array(text.utf8)
            if victim == level { mutate(&below, &random) }
        }
        try Data(below).write(to: URL(filePath: layout.path + "/index.json"))
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        for _ in 0...random.below(3) where !bytes.isEmpty {
            let place = random.below(bytes.count)
            switch random.below(5) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(random.pick(Array("\"{}[]:,0-9e\\".utf8)), at: place)
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + random.below(40)))
            default:
                let end = min(bytes.count, place + random.below(60))
                bytes.insert(contentsOf: bytes[place..<end], at: random.below(bytes.count))
            }
        }
    }
}
