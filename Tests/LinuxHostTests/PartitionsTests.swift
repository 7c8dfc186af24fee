import Foundation
import LinuxHost
import Testing

struct PartitionsTests {
    @Test func `a disk's first partition is what the kernel calls so`() throws {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "\(UUID())")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let disk = scratch.path() + "/dev/vdd"
        let classes = scratch.path() + "/class"
        for folder in ["/dev", "/class/vdd/queue", "/class/vdd/vdd1", "/class/vdd/vdd9"] {
            try SmallFile.makeDirectory(scratch.path() + folder)
        }
        for file in ["/vdd/size", "/vdd/vdd1/partition", "/vdd/vdd9/partition"] {
            let number = file.dropFirst(8).prefix(1)
            try SmallFile.replace(classes + file, with: Array("\(number)\n".utf8))
        }
        #expect(try Partitions.first(of: disk, below: classes) == nil)
        try SmallFile.replace(disk, with: [])
        let link = scratch.path() + "/device"
        try Directories.link(disk, at: link)
        let first = try #require(try Partitions.first(of: link, below: classes))
        #expect(try Directories.canonical(disk) + "1" == first)
        try SmallFile.replace(scratch.path() + "/dev/vdd1", with: [])
        #expect(try Partitions.first(of: first, below: classes) == nil)
        #expect(try Partitions.first(of: "/dev/null") == nil)
    }
}
