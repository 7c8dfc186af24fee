import Foundation
import LinuxHost
import MigrationCore
import Pages
import Testing

@Suite struct PagemapImagesTests {
    private let head: [UInt8] = [
        0x19, 0x43, 0x56, 0x54, 0x25, 0x40, 0x08, 0x56,
        2, 0, 0, 0, 0x08, 1,
    ]

    /// One run: address, count (in both fields that CRIU 4.2 writes), flags.
    private func entry(_ address: UInt64, _ count: UInt8, _ flags: UInt8) -> [UInt8] {
        var message: [UInt8] = [0x08]
        var rest = address
        while rest > 0x7F {
            message.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        message += [UInt8(rest), 0x10, count, 0x20, flags, 0x28, count]
        return [UInt8(message.count), 0, 0, 0] + message
    }

    @Test func `lazy pages become eager, all else stays byte for byte`() throws {
        try inDirectory { directory in
            let image =
                head + entry(0x7f00_0000_1000, 3, 6) + entry(0x5000, 1, 4)
                + entry(0x7fff_0000_0000, 2, 6)
            try write(image, to: "\(directory)/pagemap-12.img")
            try write([1, 2, 3], to: "\(directory)/pages-1.img")
            try write(image, to: "\(directory)/pagemap-shmem-3.img")
            let found = try PagemapImages.makeEager(in: directory)
            #expect(
                found == [
                    TaskID(12): [
                        PageRun(address: 0x7f00_0000_1000, count: 3),
                        PageRun(address: 0x7fff_0000_0000, count: 2),
                    ]
                ])
            let eager =
                head + entry(0x7f00_0000_1000, 3, 4) + entry(0x5000, 1, 4)
                + entry(0x7fff_0000_0000, 2, 4)
            #expect(try SmallFile.bytes("\(directory)/pagemap-12.img") == eager)
            #expect(try SmallFile.bytes("\(directory)/pagemap-shmem-3.img") == image)
            #expect(try PagemapImages.makeEager(in: directory) == [:])
        }
    }

    @Test func `an image of another form is refused and stays as it is`() throws {
        let whole = head + entry(0x1000, 1, 6)
        // A field that is no varint, as a newer CRIU may write; a wrong magic; cut messages.
        var strange: [[UInt8]] = [head + [4, 0, 0, 0, 0x32, 2, 1, 1], [1] + whole.dropFirst()]
        strange += (1..<whole.count).filter { $0 != 8 && $0 != head.count }
            .map { Array(whole.prefix($0)) }
        strange.append(head + [3, 0, 0, 0, 0x20, 0x82, 0x80])
        for image in strange {
            try inDirectory { directory in
                try write(image, to: "\(directory)/pagemap-1.img")
                #expect(throws: GodwitError(.checkpointFailed, "")) {
                    try PagemapImages.makeEager(in: directory)
                }
                #expect(try SmallFile.bytes("\(directory)/pagemap-1.img") == image)
            }
        }
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}
