import ArgumentParser
import MigrationCore

/// What a new instance may use, in the words of other container tools.
struct LimitOptions: ParsableArguments {
    @Option(help: "Memory at most, such as 512MiB.", transform: Read.size) var memory: ByteCount?
    @Option(
        help: "Memory that is left to it when the host runs short.", transform: Read.size)
    var memoryReservation: ByteCount?
    @Option(help: "Memory and swap together at most.", transform: Read.size)
    var memorySwap: ByteCount?
    @Option(help: "Processors at most, such as 1.5.") var cpus: Double?
    @Option(help: "Its share of the processors against others, 1 to 10000; others have 100.")
    var cpuWeight: UInt32?
    @Option(
        help: ArgumentHelp("The processors it may run on, such as 0-3,5.", valueName: "list"),
        transform: Read.processors)
    var cpusetCpus: ProcessorSet?
    @Option(help: "Processes at most.") var processes: UInt32?
    @Option(help: "Its share of the disks against others, 1 to 10000; others have 100.")
    var ioWeight: UInt32?
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Bytes a second read from a disk of the host; repeatable.",
            valueName: "path:size"))
    var deviceReadBps: [RateSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Bytes a second written to it.", valueName: "path:size"))
    var deviceWriteBps: [RateSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Reads a second.", valueName: "path:count"))
    var deviceReadIops: [RateSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("Writes a second.", valueName: "path:count"))
    var deviceWriteIops: [RateSpecification] = []
    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "A device of the host that it may use; the target of a move must have it too.",
            valueName: "path[:rwm]"))
    var device: [DeviceSpecification] = []

    @Flag(help: "Root inside may divide its control group, at /sys/fs/cgroup.")
    var delegateCgroups = false

    func validate() throws {
        if let cpus, !(cpus >= 0.001 && cpus <= 4096) {
            throw ValidationError("--cpus is a number from 0.001 to 4096")
        }
        try Read.told { try limits.validate() }
    }

    var limits: ResourceLimits {
        ResourceLimits(
            memory: memory, memoryReservation: memoryReservation, memorySwap: memorySwap,
            cpuMillis: cpus.map { UInt32(($0 * 1000).rounded()) }, cpuWeight: cpuWeight,
            cpuset: cpusetCpus, processes: processes, ioWeight: ioWeight, ioLimits: ioLimits,
            devices: device.map(\.access), delegatesCgroups: delegateCgroups)
    }

    /// One for each disk, in the order of their first mention.
    private var ioLimits: [IOLimit] {
        var found: [IOLimit] = []
        let lists: [([RateSpecification], WritableKeyPath<IOLimit, UInt64?>)] = [
            (deviceReadBps, \.readBytes), (deviceWriteBps, \.writeBytes),
            (deviceReadIops, \.readOperations), (deviceWriteIops, \.writeOperations),
        ]
        for (rates, place) in lists {
            for rate in rates {
                let known = found.firstIndex { $0.device == rate.path }
                if known == nil { found.append(IOLimit(device: rate.path)) }
                found[known ?? found.count - 1][keyPath: place] = rate.rate
            }
        }
        return found
    }
}

/// `PATH:SIZE` or `PATH:COUNT`.
struct RateSpecification: ExpressibleByArgument, Equatable {
    let path: String
    let rate: UInt64

    init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"),
            let rate = try? parseSize(String(argument[colon...].dropFirst()))
        else { return nil }
        path = String(argument[..<colon])
        self.rate = rate.bytes
    }
}

/// `PATH` or `PATH:` and some of the letters r, w and m.
struct DeviceSpecification: ExpressibleByArgument, Equatable {
    let access: DeviceAccess

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
            .map(String.init)
        guard (1...2).contains(parts.count) else { return nil }
        access =
            parts.count == 1
            ? DeviceAccess(path: parts[0]) : DeviceAccess(path: parts[0], access: parts[1])
    }
}
