import MigrationCore
import Testing

@Suite struct BookTests {
    @Test func `every message, record and phase is in the book`() throws {
        let book = try Book.text()
        let words =
            Sample.messages.map(\.word) + States.records.source.map(\.word)
            + States.records.target.map(\.word) + Phase.allCases.map(\.title)
            + Capabilities.own.features.map(\.name)
        for word in words { #expect(book.contains("`\(word)`"), "\(word) is missing") }
    }

    @Test func `the samples have one of each kind of message`() {
        #expect(Set(Sample.messages.map(\.word)).count == Sample.messages.count)
        #expect(Sample.messages.count == 14)
    }
}
