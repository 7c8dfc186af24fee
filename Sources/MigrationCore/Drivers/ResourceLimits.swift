/// What the instance may use at most, and how much against others; nil means no limit of its own.
///
/// Weights are those of cgroup version 2, 1 to 10,000, where who has none has 100.
package struct ResourceLimits: Codable, Equatable, Sendable {
    package var memory: ByteCount?
    /// Memory that is left to the instance when the host runs short: `memory.low`.
    package var memoryReservation: ByteCount?
    /// Memory and swap together, at least `memory`.
    package var memorySwap: ByteCount?
    /// Processor time in thousandths of one processor: 1500 is one and a half.
    package var cpuMillis: UInt32?
    package var cpuWeight: UInt32?
    /// The processors it may run on.
    package var cpuset: ProcessorSet?
    package var processes: UInt32?
    package var ioWeight: UInt32?
    package var ioLimits: [IOLimit]
    package var devices: [DeviceAccess]
    /// Root inside may make groups below the instance's own, with limits of theirs.
    package var delegatesCgroups: Bool

    package init(
        memory: ByteCount? = nil,
        memoryReservation: ByteCount? = nil,
        memorySwap: ByteCount? = nil,
        cpuMillis: UInt32? = nil,
        cpuWeight: UInt32? = nil,
        cpuset: ProcessorSet? = nil,
        processes: UInt32? = nil,
        ioWeight: UInt32? = nil,
        ioLimits: [IOLimit] = [],
        devices: [DeviceAccess] = [],
        delegatesCgroups: Bool = false
    ) {
        self.memory = memory
        self.memoryReservation = memoryReservation
        self.memorySwap = memorySwap
        self.cpuMillis = cpuMillis
        self.cpuWeight = cpuWeight
        self.cpuset = cpuset
        self.processes = processes
        self.ioWeight = ioWeight
        self.ioLimits = ioLimits
        self.devices = devices
        self.delegatesCgroups = delegatesCgroups
    }

    /// What is left out is not limited: older hosts and journals know less.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        memory = try container.decodeIfPresent(ByteCount.self, forKey: .memory)
        memoryReservation = try container.decodeIfPresent(
            ByteCount.self, forKey: .memoryReservation)
        memorySwap = try container.decodeIfPresent(ByteCount.self, forKey: .memorySwap)
        cpuMillis = try container.decodeIfPresent(UInt32.self, forKey: .cpuMillis)
        cpuWeight = try container.decodeIfPresent(UInt32.self, forKey: .cpuWeight)
        cpuset = try container.decodeIfPresent(ProcessorSet.self, forKey: .cpuset)
        processes = try container.decodeIfPresent(UInt32.self, forKey: .processes)
        ioWeight = try container.decodeIfPresent(UInt32.self, forKey: .ioWeight)
        ioLimits = try container.decodeIfPresent([IOLimit].self, forKey: .ioLimits) ?? []
        devices = try container.decodeIfPresent([DeviceAccess].self, forKey: .devices) ?? []
        delegatesCgroups =
            try container.decodeIfPresent(Bool.self, forKey: .delegatesCgroups) ?? false
    }
}

/// How fast the instance may read from and write to one block device.
package struct IOLimit: Codable, Hashable, Sendable {
    /// Looked up on each host, such as `/dev/vda`.
    package var device: String
    /// Bytes a second.
    package var readBytes: UInt64?
    package var writeBytes: UInt64?
    /// Operations a second.
    package var readOperations: UInt64?
    package var writeOperations: UInt64?

    package init(
        device: String,
        readBytes: UInt64? = nil,
        writeBytes: UInt64? = nil,
        readOperations: UInt64? = nil,
        writeOperations: UInt64? = nil
    ) {
        self.device = device
        self.readBytes = readBytes
        self.writeBytes = writeBytes
        self.readOperations = readOperations
        self.writeOperations = writeOperations
    }

    var rates: [UInt64] {
        [readBytes, writeBytes, readOperations, writeOperations].compactMap { $0 }
    }
}

/// A device of the host that the instance sees under the same path.
package struct DeviceAccess: Codable, Hashable, Sendable {
    package var path: String
    /// Of `r` read, `w` write and `m` make the node.
    package var access: String

    package init(path: String, access: String = "rwm") {
        self.path = path
        self.access = access
    }
}

/// Which device a node of /dev is.
package struct DeviceNumber: Codable, Hashable, Sendable, CustomStringConvertible {
    package var isBlock: Bool
    package var major: UInt32
    package var minor: UInt32

    package init(isBlock: Bool, major: UInt32, minor: UInt32) {
        self.isBlock = isBlock
        self.major = major
        self.minor = minor
    }

    package var description: String { "\(isBlock ? "block" : "character") \(major):\(minor)" }
}

extension ResourceLimits {
    /// - Throws: `badRequest` for what no kernel would take, `limitExceeded` for too much of it.
    package func validate() throws(GodwitError) {
        try validateMemory()
        for (what, weight) in [("cpu", cpuWeight), ("io", ioWeight)] {
            guard let weight, !(1...Limit.weight).contains(weight) else { continue }
            throw GodwitError(
                .badRequest, "the \(what) weight \(weight) is not from 1 to \(Limit.weight)",
                remedy: "100 is what an instance without a weight has")
        }
        for (what, count) in [("io limits", ioLimits.count), ("devices", devices.count)]
        where count > Limit.devicesPerInstance {
            throw GodwitError(
                .limitExceeded, "\(count) \(what) are more than \(Limit.devicesPerInstance)")
        }
        try validateDevices()
    }

    private func validateMemory() throws(GodwitError) {
        if let memoryReservation, let memory, memoryReservation > memory {
            throw GodwitError(
                .badRequest, "more memory is reserved than the instance may have",
                remedy: "reserve less, or raise the limit")
        }
        guard let memorySwap else { return }
        guard let memory, memory <= memorySwap else {
            throw GodwitError(
                .badRequest, "memory and swap together are less than the memory limit",
                remedy: "give a memory limit that is not higher; equal means no swap")
        }
    }

    private func validateDevices() throws(GodwitError) {
        for paths in [ioLimits.map(\.device), devices.map(\.path)] {
            for path in paths { try validateDevice(path) }
            guard Set(paths).count == paths.count else {
                throw GodwitError(.badRequest, "a device is named twice")
            }
        }
        for limit in ioLimits where limit.rates.isEmpty || limit.rates.contains(0) {
            throw GodwitError(
                .badRequest, "the io limit of \(limit.device) is none",
                remedy: "give bytes or operations a second, at least 1")
        }
        for device in devices {
            guard !device.access.isEmpty, device.access.allSatisfy("rwm".contains),
                Set(device.access).count == device.access.count
            else {
                throw GodwitError(
                    .badRequest, "the access to \(device.path) is not one of r, w and m",
                    remedy: "write \(device.path):rwm, or some of these letters")
            }
        }
    }
}

private func validateDevice(_ path: String) throws(GodwitError) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard path.utf8.count <= Limit.word.bytes, !path.utf8.contains(0), parts.count >= 3,
        parts.starts(with: ["", "dev"]),
        !parts.dropFirst().contains(where: { ["", ".", ".."].contains($0) })
    else {
        throw GodwitError(
            .badRequest, "\"\(path.prefix(80))\" is not a path below /dev",
            remedy: "name the device as /dev/vda")
    }
}
