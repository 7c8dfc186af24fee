import MigrationCore

/// An instance in the shape of LXD and Incus, with ours (`godwit`) beside it.
struct InstanceShape: Codable, Equatable, Sendable {
    var architecture: String
    var config: [String: String]
    var devices: [String: [String: String]]
    var ephemeral = false
    var profiles: [String] = []
    /// Whether it has a saved state.
    var stateful: Bool
    var description = ""
    var createdAt: String
    var expandedConfig: [String: String]
    var expandedDevices: [String: [String: String]]
    var name: String
    var status: String
    var statusCode: Int
    var lastUsedAt: String
    var location = "none"
    var type = "container"
    var project = "default"
    /// Everything that Godwit knows, without loss.
    var godwit: InstanceView

    enum CodingKeys: String, CodingKey {
        case architecture, config, devices, ephemeral, profiles, stateful, description
        case createdAt = "created_at"
        case expandedConfig = "expanded_config"
        case expandedDevices = "expanded_devices"
        case name, status
        case statusCode = "status_code"
        case lastUsedAt = "last_used_at"
        case location, type, project, godwit
    }

    init(_ view: InstanceView) {
        let definition = view.definition
        let status = StatusCode.of(view.observation.status)
        architecture = hostArchitecture
        config = settings(of: definition)
        devices = API.devices(of: definition)
        createdAt = rfc3339(definition.created)
        expandedConfig = config
        expandedDevices = devices
        name = definition.name.text
        stateful = view.state != nil
        self.status = status.word
        statusCode = status.code
        lastUsedAt = createdAt
        godwit = view
    }
}

/// What the instance is doing, in the shape of LXD and Incus.
struct InstanceStateShape: Codable, Equatable, Sendable {
    var status: String
    var statusCode: Int
    var disk: [String: JSONValue] = [:]
    var memory: [String: UInt64]
    var network: [String: Network]
    var pid: Int32
    var processes: Int
    var cpu: [String: UInt64]

    struct Network: Codable, Equatable, Sendable {
        var addresses: [Address]
        var hwaddr: String
        var mtu: UInt32
        var state: String
        var type = "broadcast"
    }

    struct Address: Codable, Equatable, Sendable {
        var family: String
        var address: String
        var netmask: String
        var scope = "global"
    }

    enum CodingKeys: String, CodingKey {
        case status
        case statusCode = "status_code"
        case disk, memory, network, pid, processes, cpu
    }

    init(_ view: InstanceView) {
        let observation = view.observation
        let status = StatusCode.of(observation.status)
        self.status = status.word
        statusCode = status.code
        memory = ["usage": observation.memory.bytes]
        memory["usage_peak"] = observation.memoryPeak?.bytes
        pid = observation.pid ?? 0
        processes = observation.processes
        cpu = ["usage": observation.cpuNanoseconds]
        let state = observation.status == .stopped ? "down" : "up"
        let pairs = view.definition.interfaces.map { ($0.name, Network($0, state: state)) }
        network = Dictionary(pairs) { first, _ in first }
    }
}

extension InstanceStateShape.Network {
    init(_ interface: InterfaceDefinition, state: String) {
        addresses = interface.addresses.map(InstanceStateShape.Address.init)
        hwaddr = interface.hardwareAddress
        mtu = interface.mtu
        self.state = state
    }
}

extension InstanceStateShape.Address {
    /// - Parameter text: an address with its prefix length.
    init(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1)
        address = parts.first.map(String.init) ?? text
        netmask = parts.count == 2 ? String(parts[1]) : ""
        family = address.contains(":") ? "inet6" : "inet"
    }
}

func settings(of definition: InstanceDefinition) -> [String: String] {
    var config = ["security.privileged": definition.idMap == nil ? "true" : "false"]
    for variable in definition.process.environment {
        let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        config["environment.\(parts[0])"] = parts.count == 2 ? String(parts[1]) : ""
    }
    if let memory = definition.limits.memory { config["limits.memory"] = "\(memory.bytes)" }
    if let millis = definition.limits.cpuMillis {
        config["limits.cpu.allowance"] = "\(millis)ms/1000ms"
    }
    if let cpuset = definition.limits.cpuset { config["limits.cpu"] = "\(cpuset)" }
    if let processes = definition.limits.processes {
        config["limits.processes"] = "\(processes)"
    }
    if let image = definition.image { config["volatile.base_image"] = image.digest.hexadecimal }
    if let schedule = definition.snapshotSchedule {
        config["snapshots.schedule"] = schedule.times.description
        config["snapshots.expiry"] = schedule.keptSeconds.map { "\($0)S" }
    }
    if let map = definition.idMap { config["volatile.idmap.base"] = "\(map.hostStart)" }
    for interface in definition.interfaces {
        config["volatile.\(interface.name).hwaddr"] = interface.hardwareAddress
    }
    return config
}

func devices(of definition: InstanceDefinition) -> [String: [String: String]] {
    var devices = ["root": ["type": "disk", "path": "/", "pool": definition.pool]]
    for (number, mount) in definition.mounts.enumerated() {
        var device = ["type": "disk", "source": mount.hostPath, "path": mount.path]
        if let volume = mount.volume {
            (device["pool"], device["source"]) = (volume.pool, volume.name.text)
        }
        if mount.isReadOnly { device["readonly"] = "true" }
        devices["mount\(number)"] = device
    }
    for (number, device) in definition.limits.devices.enumerated() {
        devices["device\(number)"] = [
            "type": "unix-char", "source": device.path, "path": device.path,
        ]
    }
    for interface in definition.interfaces {
        devices[interface.name] = [
            "type": "nic", "nictype": (interface.nicType ?? .bridged).rawValue,
            "name": interface.name,
            "parent": interface.bridge, "hwaddr": interface.hardwareAddress,
            "addresses": interface.addresses.joined(separator: ","),
        ]
    }
    return devices
}

/// The kernel's word for the processor that this program was built for.
var hostArchitecture: String {
    #if arch(arm64)
        "aarch64"
    #else
        "x86_64"
    #endif
}
