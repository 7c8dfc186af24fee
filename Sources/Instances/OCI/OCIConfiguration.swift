package import LinuxHost
import MigrationCore

/// What a host gives to its OCI instances.
package struct OCIConfiguration: Codable, Equatable, Sendable {
    /// Bundles, process images and runtime state; must be a tmpfs, since process images hold
    /// memory.
    package var runDirectory: String
    /// Logs of instances and of CRIU.
    package var stateDirectory: String
    package var runcPath: String
    package var criuPath: String
    /// The control group above the instances', without slashes; hosts on one kernel need different
    /// ones.
    package var cgroupParent: String
    /// The godwit program, which runs again as the instances' monitor.
    package var executable: String

    package init(
        runDirectory: String = "/run/godwit",
        stateDirectory: String = "/var/lib/godwit",
        runcPath: String = "runc",
        criuPath: String = "/usr/local/libexec/godwit/criu",
        cgroupParent: String = "godwit",
        executable: String
    ) {
        precondition(runDirectory.hasPrefix("/") && stateDirectory.hasPrefix("/"))
        precondition(!cgroupParent.contains("/") && !cgroupParent.isEmpty)
        self.runDirectory = runDirectory
        self.stateDirectory = stateDirectory
        self.runcPath = runcPath
        self.criuPath = criuPath
        self.cgroupParent = cgroupParent
        self.executable = executable
    }

    package var runc: Runc {
        Runc(path: runcPath, root: "\(runDirectory)/runc", criu: criuPath)
    }

    func cgroupPath(of name: InstanceName) -> String { "/\(cgroupParent)/\(name)" }

    func files(of name: InstanceName) -> InstanceFiles {
        InstanceFiles(
            directory: "\(runDirectory)/instances/\(name)",
            logDirectory: "\(stateDirectory)/logs",
            name: name)
    }

    func hostEnds(of definition: InstanceDefinition) -> [HostEnd] {
        definition.interfaces.map { interface in
            HostEnd(scope: cgroupParent, instance: definition.name, interface: interface.name)
        }
    }
}
