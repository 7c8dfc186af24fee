import CLinux
import Foundation
import MigrationCore

/// What `/proc/PID/smaps` says of mappings but their sizes, without the kernel's walk over every
/// page, which takes 11 ms a GiB.
///
/// The `VmFlags` of a mapping depend on the kernel's own flags alone (`show_smap_vma_flags` of
/// fs/proc/task_mmu.c). Those are read by a BPF iterator; what they look like in smaps is learned
/// from smaps itself while nobody waits. Flags that were never seen there are never guessed.
package struct MappingFlags: Sendable {
    private let program: Descriptor
    /// Lines such as `VmFlags: rd wr mr mw me ac `, by the kernel's flags.
    private var lines: [UInt64: [UInt8]] = [:]
    /// The same for the kernel's own page, of which the iterator does not tell.
    private var kernelPage: [UInt8]?

    private struct Entry: Hashable {
        let range: Range<UInt64>
        let flags: UInt64
    }

    /// - Throws: `kernelRefused` where the kernel has no such iterator (Linux 6.1, with BTF).
    package init() throws {
        let number = godwit_mappings_program()
        guard number >= 0 else {
            throw GodwitError.kernel("load a program that reads mappings", code: -number)
        }
        program = Descriptor(taking: number)
    }

    /// Learns what it does not know yet of the process's mappings.
    ///
    /// - Throws: `kernelRefused` if the process cannot be read.
    package mutating func learn(from process: Int32) throws {
        let before = try entries(of: process)
        let isNew = kernelPage == nil || before.contains { lines[$0.flags] == nil }
        guard isNew else { return }
        var told: [(header: [UInt8], line: [UInt8])] = []
        var header: [UInt8] = []
        try Self.read("/proc/\(process)/smaps") { line in
            if line.starts(with: Self.title) {
                told.append((header, line))
            } else if Mapping(line: Substring(decoding: line, as: UTF8.self)) != nil {
                header = line
            }
        }
        // What has not changed meanwhile is what smaps has told of.
        let known = Dictionary(
            Set(before).intersection(try entries(of: process)).map { ($0.range, $0.flags) },
            uniquingKeysWith: { first, _ in first })
        for (header, line) in told {
            if header.ends(with: Self.kernelPageName) { kernelPage = line }
            guard let range = Self.range(header), let flags = known[range] else { continue }
            lines[flags] = line
        }
    }

    /// The text of smaps with headers and `VmFlags` alone, for a process that stands still; nil if
    /// not all of its flags are known.
    package func text(of process: Int32) throws -> [UInt8]? {
        let entries = try entries(of: process)
        var (text, next, isWhole) = ([UInt8](), 0, true)
        try Self.read("/proc/\(process)/maps") { header in
            text += header + [UInt8(ascii: "\n")]
            let line: [UInt8]?
            if next < entries.count, entries[next].range == Self.range(header) {
                line = lines[entries[next].flags]
                next += 1
            } else {
                line = header.ends(with: Self.kernelPageName) ? kernelPage : nil
            }
            isWhole = isWhole && line != nil
            text += (line ?? []) + [UInt8(ascii: "\n")]
        }
        return isWhole && next == entries.count ? text : nil
    }

    private static let title = Array("VmFlags:".utf8)
    private static let kernelPageName = Array("[vsyscall]".utf8)

    private static func range(_ header: [UInt8]) -> Range<UInt64>? {
        Mapping(line: Substring(decoding: header, as: UTF8.self))?.range
    }

    private func entries(of process: Int32) throws -> [Entry] {
        let number = godwit_mappings_open(program.number, process)
        guard number >= 0 else {
            throw GodwitError.kernel("read the mappings of \(process)", code: -number)
        }
        let iterator = Descriptor(taking: number)
        var entries: [Entry] = []
        while true {
            let bytes = try iterator.read(upTo: 1_024 * MemoryLayout<godwit_mapping>.size)
            if bytes.isEmpty { return entries }
            entries += unsafe bytes.withUnsafeBytes { buffer in
                unsafe buffer.bindMemory(to: godwit_mapping.self).map {
                    Entry(range: $0.start..<$0.end, flags: $0.flags)
                }
            }
            guard entries.count <= Limit.mappings else {
                throw GodwitError(
                    .limitExceeded, "a process has more than \(Limit.mappings) mappings")
            }
        }
    }

    private static func read(_ path: String, _ body: ([UInt8]) -> Void) throws {
        let file = try Descriptor.open(path, O_RDONLY)
        var lines = ByteLines()
        while true {
            let bytes = try file.read(upTo: 1 << 16)
            if bytes.isEmpty { break }
            lines.take(bytes, body)
        }
        lines.finish(body)
    }
}

extension [UInt8] {
    fileprivate func ends(with other: [UInt8]) -> Bool { suffix(other.count) == other[...] }
}
