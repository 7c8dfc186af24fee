import Foundation

extension Tutorial {
    /// The page that the project has.
    package static let path = "docs/tutorial.md"

    /// Runs the commands on the hosts of a lab, whose daemons run and trust each other.
    ///
    /// They are a shell's, with `godwit` in their path and `ROOTFS` as the root filesystem with
    /// services.
    ///
    /// - Throws: `toolFailed` with what was said if one of them fails.
    package func recorded(in lab: Lab) async throws -> Tutorial {
        let place = URL(filePath: lab.settings.godwit).deletingLastPathComponent().path()
        let root = try await RootFilesystem.services.path()
        return try await recorded { step in
            let script = "export PATH=\(place):$PATH ROOTFS=\(root)\n\(step.command)"
            let said = try await lab.host(step.host).check(["sh", "-ec", "{ \(script)\n} 2>&1"])
            return said.hasSuffix("\n") ? String(said.dropLast()) : said
        }
    }
}
