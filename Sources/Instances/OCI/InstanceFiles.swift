import LinuxHost
import MigrationCore

/// Where the files of one instance lie. The directory is the OCI bundle, too.
struct InstanceFiles: Equatable, Sendable {
    let directory: String
    let logDirectory: String
    let name: InstanceName

    /// What the monitor is told, see `RuntimeRecord`.
    var record: String { "\(directory)/runtime.json" }
    var specification: String { "\(directory)/config.json" }
    var criuConfiguration: String { "\(directory)/criu.conf" }
    /// The first process, written by runc.
    var pid: String { "\(directory)/pid" }
    var monitor: String { "\(directory)/monitor" }
    /// The exit status of the first process, written by the monitor as its last act.
    var exit: String { "\(directory)/exit" }
    /// There while a checkpoint is made: the number of the process that makes it.
    var dumping: String { "\(directory)/dumping" }
    /// What a dump leaves out, see `Criu.hiddenPages`.
    var hiddenPages: String { "\(directory)/hidden" }
    /// What it is told of mappings, a file for each process.
    var mappings: String { "\(directory)/mappings" }
    /// Whether that dump has changed the instance's files, see `Criu.hiding`.
    var touched: String { "\(directory)/touched" }
    /// The timers that have run out by the end of a dump, see `Criu.noting`.
    var expired: String { "\(directory)/expired" }
    /// Where the keeper of an arriving instance's memory listens for streams of pages; there while
    /// pages are to come.
    static let pages = "pages"
    /// There once pages were left for later, and what has come of it.
    var lacking: String { "\(directory)/lacking" }
    var fetched: String { "\(directory)/fetched" }
    /// There while memory of the last move has not all been placed: the keeper's number.
    var arriving: String { "\(directory)/arriving" }
    /// There while it is slowed down: the processor time that it may take otherwise.
    var throttled: String { "\(directory)/throttled" }
    /// The host's addresses that are there for its published ports.
    var floating: String { "\(directory)/floating" }
    var runcLog: String { "\(directory)/runc.log" }
    var images: String { "\(directory)/images" }
    /// Among them: the control groups that the instance has made.
    var subgroups: String { "\(images)/godwit-cgroups.json" }
    var work: String { "\(directory)/work" }

    var log: String { "\(logDirectory)/\(name).log" }
    var olderLog: String { log + ".1" }
    /// CRIU's whole log of the last run of its kind.
    func criuLog(_ action: String) -> String {
        "\(logDirectory)/migrations/\(name)-\(action).log"
    }

    func connectToPages() throws -> Descriptor {
        try Descriptor.connected(to: Self.pages, in: directory)
    }

    func number(in file: String) -> Int32? { SmallFile.word(file).flatMap { Int32($0) } }
}
