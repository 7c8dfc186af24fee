/// What CRIU cannot dump is found while the instance runs, not after it was frozen.
struct ObstacleCheck: Check {
    let name = "obstacles"

    func findings(in comparison: Comparison) -> [Finding] {
        guard comparison.isLive else { return [] }
        return comparison.instance.obstacles.prefix(Limit.findings).map { obstacle in
            Finding(
                name,
                cause: "\(obstacle.process.prefix(80)) \(obstacle.detail.prefix(300)) "
                    + "(\(obstacle.kind.prefix(40)))",
                cure: ObstacleKind(rawValue: obstacle.kind)?.cure ?? "move with --cold"
            )
        }
    }
}

/// The kinds of obstacles that are looked for: the words in `Obstacle.kind`.
package enum ObstacleKind: String, CaseIterable, Sendable {
    case ioUring = "io-uring"
    case openDevice = "open-device"
    case mappedDevice = "mapped-device"
    case performanceEvent = "performance-event"
    case bpf = "bpf"
    case userfaultfd = "userfaultfd"
    case anonymousFile = "anonymous-file"
    case socketFamily = "socket-family"
    case traced = "traced"
    case stopped = "stopped"
    case childNamespace = "child-namespace"
    case leakedDescriptor = "leaked-descriptor"
    case deletedFile = "deleted-file"
    case outsideProcess = "outside-process"
    case outsideSession = "outside-session"
    case probed = "probed"

    var cure: String {
        switch self {
        case .ioUring: "switch io_uring off in the program's settings, or move with --cold"
        case .openDevice, .mappedDevice: "end what uses the device, or move with --cold"
        case .performanceEvent, .bpf: "end the profiler or tracer, or move with --cold"
        case .userfaultfd, .anonymousFile: "end the program that uses it, or move with --cold"
        case .socketFamily:
            "let the program use TCP, UDP or Unix sockets (Go: GODEBUG=multipathtcp=0), "
                + "or move with --cold"
        case .traced: "detach the debugger and try again"
        case .stopped:
            "let it go on (kill -CONT) or end it, move with --cold, or use version 2 control groups"
        case .childNamespace:
            "end the container or sandbox inside the instance, or move with --cold"
        case .leakedDescriptor: "start the instance again without handing the file to it"
        case .deletedFile: "let the program close or reopen the file, or move with --cold"
        case .outsideProcess: "end what `godwit exec` started and try again"
        case .outsideSession: "start the instance with a first process of a session of its own"
        case .probed: "remove the probes from the program and try again"
        }
    }
}
