/// The part of the OCI runtime specification 1.0.2 that instances use: a bundle's `config.json`.
struct OCISpecification: Encodable, Equatable {
    var ociVersion = "1.0.2"
    var hostname: String
    var root: Root
    var process: Process
    var mounts: [Mount]
    var hooks: Hooks
    var annotations: [String: String]
    var linux: Linux

    struct Root: Encodable, Equatable {
        var path: String
        var readonly = false
    }

    struct Process: Encodable, Equatable {
        var terminal = false
        var user: User
        var args: [String]
        var env: [String]
        var cwd: String
        var capabilities: Capabilities
        var noNewPrivileges = true
    }

    struct User: Encodable, Equatable {
        var uid: UInt32
        var gid: UInt32
    }

    struct Capabilities: Encodable, Equatable {
        var bounding: [String]
        var effective: [String]
        var permitted: [String]
    }

    struct Mount: Encodable, Equatable {
        var destination: String
        var type: String
        var source: String
        var options: [String]
    }

    struct Hooks: Encodable, Equatable {
        var prestart: [Hook]
    }

    struct Hook: Encodable, Equatable {
        var path: String
        var args: [String]
        var env: [String]
        var timeout: Int
    }

    struct Linux: Encodable, Equatable {
        var cgroupsPath: String
        var namespaces: [Namespace]
        var uidMappings: [Mapping]?
        var gidMappings: [Mapping]?
        var devices: [Node]?
        var resources: Resources
        var maskedPaths: [String]
        var readonlyPaths: [String]
    }

    struct Namespace: Encodable, Equatable {
        var type: String
    }

    struct Mapping: Encodable, Equatable {
        var containerID: UInt32
        var hostID: UInt32
        var size: UInt32
    }

    struct Node: Encodable, Equatable {
        var path: String
        var type: String
        var major: UInt32
        var minor: UInt32
        var fileMode = 0o666
        var uid = 0
        var gid = 0
    }

    struct Resources: Encodable, Equatable {
        var devices: [Device]
        var memory: Memory?
        var cpu: Processor?
        var pids: Processes?
        var blockIO: BlockIO?
        /// Files of cgroup version 2 by name, written as they are.
        var unified: [String: String]?
    }

    struct Device: Encodable, Equatable {
        var allow: Bool
        var type: String?
        var major: UInt32?
        var minor: UInt32?
        var access: String
    }

    struct Memory: Encodable, Equatable {
        var limit: UInt64?
        var reservation: UInt64?
        /// Memory and swap together.
        var swap: UInt64?
    }

    struct Processor: Encodable, Equatable {
        var quota: UInt64?
        var period: UInt64?
        var shares: UInt64?
        var cpus: String?
    }

    struct Processes: Encodable, Equatable {
        var limit: UInt32
    }

    struct BlockIO: Encodable, Equatable {
        /// Of version 1.
        var weight: UInt32?
        var throttleReadBpsDevice: [Rate]?
        var throttleWriteBpsDevice: [Rate]?
        var throttleReadIOPSDevice: [Rate]?
        var throttleWriteIOPSDevice: [Rate]?
    }

    struct Rate: Encodable, Equatable {
        var major: UInt32
        var minor: UInt32
        var rate: UInt64
    }
}
