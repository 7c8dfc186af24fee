import Foundation
package import MigrationCore

/// One mapping of a process, as `/proc/PID/maps` or, with flags, `/proc/PID/smaps` shows it.
package struct Mapping: Equatable, Sendable {
    package internal(set) var range: Range<UInt64>
    package let isPrivate: Bool
    /// Neither a file's nor one of the kernel's own.
    package let isAnonymous: Bool
    package let isExecutable: Bool
    /// CRIU borrows the start of the first executable mapping for its own code while it dumps
    /// (`get_exec_start` of criu/parasite-syscall.c): whoever reads it meanwhile may read that.
    package internal(set) var isBorrowed = false
    /// Empty if it was read from `maps`.
    package internal(set) var flags: Flags = []
    /// What no file holds: anonymous pages, also in swap, and huge pages. Zero if it was read from
    /// `maps`.
    package internal(set) var ownMemory = ByteCount.zero

    /// The `VmFlags` of smaps that matter here (proc_pid_smaps(5)).
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }

        package static let locked = Flags(rawValue: 1)
        package static let growsDown = Flags(rawValue: 2)
        package static let hugePages = Flags(rawValue: 4)
        package static let shadowStack = Flags(rawValue: 8)
        package static let droppable = Flags(rawValue: 16)
        package static let device = Flags(rawValue: 32)
        package static let writeProtected = Flags(rawValue: 64)

        static let never: Flags = [
            .locked, .growsDown, .hugePages, .shadowStack, .droppable, .device,
        ]

        init?(_ name: Substring.UTF8View) {
            switch (name.first, name.dropFirst().first) {
            case (UInt8(ascii: "l"), UInt8(ascii: "o")): self = .locked
            case (UInt8(ascii: "g"), UInt8(ascii: "d")): self = .growsDown
            case (UInt8(ascii: "h"), UInt8(ascii: "t")): self = .hugePages
            case (UInt8(ascii: "s"), UInt8(ascii: "s")): self = .shadowStack
            case (UInt8(ascii: "d"), UInt8(ascii: "p")): self = .droppable
            case (UInt8(ascii: "i"), UInt8(ascii: "o")): self = .device
            case (UInt8(ascii: "p"), UInt8(ascii: "f")): self = .device
            case (UInt8(ascii: "u"), UInt8(ascii: "w")): self = .writeProtected
            default: return nil
            }
        }
    }

    /// It may be: whether it is, only the flags say.
    package var mayBeLazilyRestorable: Bool { isPrivate && isAnonymous && !isBorrowed }

    /// CRIU restores its pages lazily: `vma_entry_can_be_lazy` of criu/include/vma.h asks for
    /// private anonymous memory that is not locked, of huge pages or the kernel's own;
    /// `generate_vma_iovs` leaves out droppable memory. Stacks that grow down and shadow stacks are
    /// left to CRIU besides: their end moves, or the processor writes them. So is what CRIU writes.
    package var isLazilyRestorable: Bool {
        mayBeLazilyRestorable && flags.isDisjoint(with: .never)
    }

    /// Reads a line such as `7f0a-7f0b rw-p 00000000 00:00 0   [heap]`; nil if it is none.
    package init?(line: Substring) {
        var fields = line.utf8.split(separator: UInt8(ascii: " "), maxSplits: 5)[...]
        guard fields.count >= 5, let range = Self.range(fields.removeFirst()) else { return nil }
        let rights = fields.removeFirst()
        guard rights.count == 4 else { return nil }
        self.range = range
        isPrivate = rights.last == UInt8(ascii: "p")
        isExecutable = rights.dropFirst(2).first == UInt8(ascii: "x")
        let device = fields.dropFirst().first.map(Substring.init)
        let node = fields.dropFirst(2).first.map(Substring.init)
        let name = Substring(fields.dropFirst(3).first ?? Substring("").utf8).drop { $0 == " " }
        isAnonymous = device == "00:00" && node == "0" && Self.isAnonymous(name)
    }

    private static func range(_ text: Substring.UTF8View) -> Range<UInt64>? {
        let ends = Substring(text).split(separator: "-")
        guard ends.count == 2, let start = UInt64(ends[0], radix: 16),
            let end = UInt64(ends[1], radix: 16), start < end
        else { return nil }
        return start..<end
    }

    private static func isAnonymous(_ name: Substring) -> Bool {
        name.isEmpty || name == "[heap]" || name.hasPrefix("[anon:")
    }
}

/// All mappings of a process.
package enum Mappings {
    /// Ascending and apart. Costs about 0.3 ms for 200 mappings, whatever lies in them.
    ///
    /// - Parameter task: a process, or the thread of one whose first has ended.
    /// - Throws: `notFound` if the process has ended, `limitExceeded` beyond `Limit.mappings`.
    package static func read(of task: Int32) throws -> [Mapping] {
        try read("/proc/\(task)/maps")
    }

    /// The same with flags, for which the kernel walks over every page: about 11 ms a GiB.
    package static func readFlags(of task: Int32) throws -> [Mapping] {
        try read("/proc/\(task)/smaps")
    }

    private static func read(_ path: String) throws -> [Mapping] {
        guard let file = try? Descriptor.open(path, O_RDONLY) else {
            throw GodwitError(.notFound, "\(path) is not there: the process has ended")
        }
        var parser = MappingsParser()
        while true {
            // A process that ends while it is read is no error of ours.
            guard let bytes = try? file.read(upTo: 1 << 16), !bytes.isEmpty else { break }
            try parser.take(bytes)
        }
        try parser.finish()
        return parser.mappings
    }
}

/// Takes such a file in pieces.
package struct MappingsParser {
    package private(set) var mappings: [Mapping] = []
    private var lines = ByteLines()
    /// The lines that follow are of a mapping that was passed over.
    private var isRepeated = false
    private var hasExecutable = false
    private static let flagsTitle = Array("VmFlags:".utf8)

    package init() {}

    package mutating func take(_ bytes: [UInt8]) throws {
        var lines = lines
        try lines.take(bytes) { try takeLine($0) }
        self.lines = lines
    }

    package mutating func finish() throws {
        var lines = lines
        try lines.finish { try takeLine($0) }
        self.lines = lines
    }

    private static let ownTitles = ["Anonymous:", "Swap:", "Shared_Hugetlb:", "Private_Hugetlb:"]
        .map { Array($0.utf8) }

    private static let ownInitials = Set(ownTitles.map { $0[0] })

    /// Of a line such as `Anonymous:   12 kB`; nil if it is about something else.
    private static func ownMemory(_ line: [UInt8]) -> ByteCount? {
        // Most of the lines of smaps are about something else.
        guard ownInitials.contains(line[0]), let title = ownTitles.first(where: line.starts) else {
            return nil
        }
        let digits = line.dropFirst(title.count).filter { (0x30...0x39).contains($0) }
        return UInt64(String(decoding: digits, as: UTF8.self))
            .flatMap { $0 < 1 << 44 ? ByteCount.kibibytes($0) : nil }
    }

    private mutating func takeLine(_ line: [UInt8]) throws {
        guard let first = line.first else { return }
        if first == UInt8(ascii: "V") {
            guard line.starts(with: Self.flagsTitle), !mappings.isEmpty, !isRepeated else { return }
            let text = Substring(decoding: line.dropFirst(Self.flagsTitle.count), as: UTF8.self)
            for name in text.utf8.split(separator: UInt8(ascii: " ")) {
                if let flag = Mapping.Flags(name) {
                    mappings[mappings.count - 1].flags.insert(flag)
                }
            }
            return
        }
        if let bytes = Self.ownMemory(line) {
            if !mappings.isEmpty, !isRepeated { mappings[mappings.count - 1].ownMemory += bytes }
            return
        }
        // All other titles of smaps begin with a capital letter.
        guard first >= UInt8(ascii: "a") || first <= UInt8(ascii: "9"),
            var mapping = Mapping(line: Substring(decoding: line, as: UTF8.self))
        else { return }
        // Mappings that are joined or moved while the file is read may show up twice.
        if let last = mappings.last, mapping.range.lowerBound < last.range.upperBound {
            guard mapping.range.upperBound > last.range.upperBound else {
                isRepeated = true
                return
            }
            mapping.range = last.range.upperBound..<mapping.range.upperBound
        }
        isRepeated = false
        mapping.isBorrowed = mapping.isExecutable && !hasExecutable
        hasExecutable = hasExecutable || mapping.isExecutable
        guard mappings.count < Limit.mappings else {
            throw GodwitError(
                .limitExceeded, "a process has more than \(Limit.mappings) mappings")
        }
        mappings.append(mapping)
    }
}
