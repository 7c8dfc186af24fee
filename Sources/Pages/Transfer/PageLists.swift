import MigrationCore

/// Runs of pages by task, as records of at most 64 KiB.
struct PageLists: Sequence, IteratorProtocol, Sendable {
    private let kind: TransferFormat.Kind
    private let tasks: [(task: TaskID, runs: [PageRun])]
    private var index = 0
    private var run = 0
    /// The page behind what has been said of the task.
    private var page: UInt64 = 0
    private static let sizeLimit = 64 << 10

    static func covered(_ runs: [TaskID: [PageRun]]) -> PageLists { PageLists(.covered, runs) }
    static func present(_ runs: [TaskID: [PageRun]]) -> PageLists { PageLists(.present, runs) }
    static func owed(_ runs: [TaskID: [PageRun]]) -> PageLists { PageLists(.owed, runs) }

    /// What a target asks for; it fits one record.
    static func request(_ runs: [PageRun], of task: TaskID) -> PageLists {
        precondition(!runs.isEmpty && runs.count <= PageSet.capacity)
        return PageLists(.request, [task: runs])
    }

    private init(_ kind: TransferFormat.Kind, _ runs: [TaskID: [PageRun]]) {
        self.kind = kind
        tasks = runs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        for (_, runs) in tasks { precondition(Runs.ascend(runs), "runs ascend and are apart") }
    }

    mutating func next() -> [UInt8]? {
        guard index < tasks.count else { return nil }
        let (task, runs) = tasks[index]
        let first = page
        var list: [UInt8] = []
        while run < runs.count, list.count < Self.sizeLimit - 32 {
            let pages = runs[run].pages
            list.append(varint: pages.lowerBound - page)
            list.append(varint: UInt64(pages.count))
            page = pages.upperBound
            run += 1
        }
        let isWhole = run == runs.count
        let window = first..<(isWhole ? TransferFormat.endPage : page)
        if isWhole { (index, run, page) = (index + 1, 0, 0) }
        return TransferFormat.record(kind, head(task, window) + list)
    }

    private func head(_ task: TaskID, _ window: Range<UInt64>) -> [UInt8] {
        let head = CheckpointFormat.bytes(UInt32(task.number)) + CheckpointFormat.bytes(UInt32(0))
        guard kind == .present else { return head }
        return head + CheckpointFormat.bytes(window.lowerBound)
            + CheckpointFormat.bytes(window.upperBound)
    }
}
