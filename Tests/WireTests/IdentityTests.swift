import Foundation
import MigrationCore
import Testing
import Wire

/// The identity on disk: made once, loaded ever after, refused when it is not whole.
@Suite struct IdentityTests {
    private func inFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "godwit-wire-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test private func `the first start makes it, the next loads the same`() throws {
        try inFolder { folder in
            let made = try HostIdentity.load(from: folder, hostName: "host-a")
            let loaded = try HostIdentity.load(from: folder, hostName: "another")
            #expect(made.certificate == loaded.certificate)
            #expect(made.fingerprint.count == 64)
            #expect(made.fingerprint == fingerprint(ofDER: loaded.certificate))
            #expect(try mode(folder + "/identity/host.key") == 0o600)
            #expect(try mode(folder + "/identity/host.crt") == 0o644)
            #expect(try mode(folder + "/identity") == 0o700)
            let names = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(names == ["identity"])
        }
    }

    @Test private func `what a crash left half made is made anew`() throws {
        try inFolder { folder in
            try FileManager.default.createDirectory(
                atPath: folder + "/identity.partial",
                withIntermediateDirectories: true
            )
            try "half".write(
                toFile: folder + "/identity.partial/host.key",
                atomically: false,
                encoding: .utf8
            )
            _ = try HostIdentity.load(from: folder, hostName: "host-a")
            #expect(!FileManager.default.fileExists(atPath: folder + "/identity.partial"))
        }
    }

    @Test private func `two hosts are never the same`() throws {
        #expect(try HostIdentity.fresh("a").fingerprint != HostIdentity.fresh("a").fingerprint)
    }

    @Test(arguments: ["host.key", "host.crt"])
    private func `a file that is gone or garbage is named with a cure`(name: String) throws {
        try inFolder { folder in
            _ = try HostIdentity.load(from: folder, hostName: "host-a")
            let file = folder + "/identity/" + name
            try Data("garbage".utf8).write(to: URL(filePath: file))
            expectUnreadable(folder, "PEM")
            try FileManager.default.removeItem(atPath: file)
            expectUnreadable(folder, "cannot be read")
        }
    }

    @Test private func `a key of another certificate is refused`() throws {
        try inFolder { folder in
            _ = try HostIdentity.load(from: folder, hostName: "host-a")
            let other = try HostIdentity.generate(hostName: "host-a").crt
            try Data(other.utf8).write(to: URL(filePath: folder + "/identity/host.crt"))
            expectUnreadable(folder, "is not the key of")
        }
    }

    @Test private func `a key that others can read is refused`() throws {
        try inFolder { folder in
            _ = try HostIdentity.load(from: folder, hostName: "host-a")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o640],
                ofItemAtPath: folder + "/identity/host.key"
            )
            expectUnreadable(folder, "by other users")
        }
    }

    private func expectUnreadable(_ folder: String, _ text: String) {
        let error = #expect(throws: GodwitError.self) {
            try HostIdentity.load(from: folder, hostName: "host-a")
        }
        #expect(error?.code == .stateUnreadable)
        #expect(error?.message.contains(text) == true, "\(String(describing: error))")
        #expect(error?.remedy != nil)
    }
}
