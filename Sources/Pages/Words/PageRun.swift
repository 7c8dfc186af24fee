import Glibc

/// A task group's address space, named by its leader's pid inside the instance: the number that
/// stands in CRIU's images and is the same on both hosts.
package struct TaskID: Hashable, Comparable, Sendable {
    package let number: Int32

    package init(_ number: Int32) {
        precondition(number > 0)
        self.number = number
    }

    package static func < (left: TaskID, right: TaskID) -> Bool { left.number < right.number }
}

/// Consecutive pages of one address space.
package struct PageRun: Hashable, Sendable {
    /// The address of the first byte, a multiple of the page size.
    package let address: UInt64
    /// How many pages, at least one.
    package let count: Int

    package init(address: UInt64, count: Int) {
        precondition(address % UInt64(Self.pageSize) == 0 && count > 0)
        self.address = address
        self.count = count
    }

    package var byteCount: Int { count * Self.pageSize }
    /// The address after the last byte.
    package var end: UInt64 { address + UInt64(byteCount) }

    /// This machine's page size in bytes.
    package static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
}

/// What a round found in one address space.
package struct DirtyPages: Equatable, Sendable {
    package let task: TaskID
    /// The pid by which this host reads the task's memory.
    package let pid: Int32
    /// Ascending and apart from each other.
    package let runs: [PageRun]

    package init(task: TaskID, pid: Int32, runs: [PageRun]) {
        self.task = task
        self.pid = pid
        self.runs = runs
    }

    package var pageCount: Int { runs.reduce(0) { $0 + $1.count } }
}

/// Where arriving pages are kept until the instance runs. Later content replaces earlier.
///
/// During the rounds `keep`, `keepZeros` and `repeatPage` come from several threads at once, but
/// never for pages of one range of 2 MiB (the same addresses in all tasks) at the same time. After
/// the last round one thread calls `cover` for all tasks, then `retain` window by window, then
/// `owe` for all tasks, then `retain(only: tasks)` once.
package protocol PageSink: Sendable {
    /// - Parameter content: a whole number of pages, which belong to `address` and what follows;
    ///   valid during the call, not aligned.
    /// - Throws: `limitExceeded` if the pages do not fit.
    func keep(_ content: UnsafeRawBufferPointer, of task: TaskID, at address: UInt64) throws
    /// The pages are zero; they cost nothing, neither memory nor time, however long the run.
    func keepZeros(_ run: PageRun, of task: TaskID) throws
    /// Copies one page of content that is kept for another address.
    ///
    /// - Throws: `protocolViolation` if no content is kept there.
    func repeatPage(
        of origin: TaskID, at originAddress: UInt64, for task: TaskID, at address: UInt64
    ) throws
    /// Says that pages in these runs travel this way and no other: one in them for which nothing
    /// is kept in the end is zero, and a page outside them is not the sink's to give.
    ///
    /// - Parameter runs: ascending and apart; may be called again for the same task with runs
    ///   behind these.
    func cover(_ runs: [PageRun], of task: TaskID) throws
    /// Drops what is kept for pages of the window that are not in `runs`: they were sent once and
    /// are no longer there, and so are zero.
    ///
    /// - Parameter runs: ascending, apart, inside the window; often empty.
    /// - Parameter window: addresses; the windows of a task follow each other and, together, are
    ///   all addresses.
    func retain(only runs: [PageRun], of task: TaskID, in window: Range<UInt64>) throws
    /// Says that these pages are there and are still to come; what is kept for them is old.
    ///
    /// - Parameter runs: ascending and apart; may be called again for the same task with runs
    ///   behind these.
    func owe(_ runs: [PageRun], of task: TaskID) throws
    /// Drops what is kept and covered of any other task: it has ended.
    func retain(only tasks: Set<TaskID>) throws
}
