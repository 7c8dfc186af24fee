extension GodwitError {
    package static func refusal(_ findings: [Finding]) -> GodwitError {
        GodwitError(
            .refused,
            "the move was refused before anything was touched",
            remedy: "cure what is listed and start the move again",
            findings: Array(findings.prefix(Limit.findings))
        )
    }

    package static let originalGone = GodwitError(
        .memoryDiffers,
        "the instance lacks memory that was given up on the source",
        remedy: "start the instance anew"
    )

    package static let keptByPerson = GodwitError(
        .cancelled,
        "a person decided that the instance stays on the source",
        remedy: "make sure that it does not run on the target"
    )

    static func nonsense(_ message: Message, in phase: Phase) -> GodwitError {
        GodwitError(
            .protocolViolation,
            "the peer said \(message.word) during \(phase.title)",
            remedy: "run the same version of godwit on both hosts and report this"
        )
    }

    static func difference(own: Digests, arrived: Digests) -> GodwitError {
        precondition(own != arrived, "nothing differs")
        let all = Set(own.volumes.keys).union(arrived.volumes.keys)
        let names = all.filter { own.volumes[$0] != arrived.volumes[$0] }.sorted()
        let what = names.isEmpty ? "the process state" : "volume \(names.joined(separator: ", "))"
        return GodwitError(
            .volumeDiffers,
            "\(what) arrived on the target with another digest than it has here",
            remedy: "start the move again; if it happens twice, check the disks of both hosts"
        )
    }
}
