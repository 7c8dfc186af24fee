import Foundation
package import LinuxHost

/// Virtual machines with kernels that this one does not have, which `scripts/vmlab` starts.
package enum Machines {
    /// Whether any can be started here.
    package static var canStart: Bool {
        let emulator = "/usr/bin/qemu-system-x86_64"
        return getuid() == 0 && FileManager.default.isExecutableFile(atPath: emulator)
    }

    /// Runs a job of `scripts/vmlab.d/jobs` in every machine that it wants, to its end.
    package static func run(_ job: String) async throws -> ToolResult {
        let script = RootFilesystem.package + "/scripts/vmlab"
        return try await LabCommands.machines(script: script, job: job).run()
    }
}
