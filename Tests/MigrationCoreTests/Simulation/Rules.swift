import MigrationCore

/// The two machines as the world sees them, so that a test can break a rule of theirs.
struct Rules {
    typealias Resumed<Machine, Action> = (Machine, [Action])

    var source: (inout SourceMachine, SourceEvent) -> [SourceAction] = { $0.handle($1) }
    var target: (inout TargetMachine, TargetEvent) -> [TargetAction] = { $0.handle($1) }
    var resumeSource: (SourceRecord) -> Resumed<SourceMachine, SourceAction> = {
        SourceMachine.resume(Sample.web, from: $0)
    }
    /// What is written, the receipt of what is found complete, whether memory has to follow it.
    var resumeTarget: (TargetRecord, Receipt?, Bool) -> Resumed<TargetMachine, TargetAction> = {
        TargetMachine.resume(from: $0, complete: $1, lacksMemory: $2)
    }
}
