import QtQuick 2.9
import QtQuick.Dialogs 1.2
import MuseScore 3.0
import FileIO 3.0

// Asks melodysim whether the open score follows a melody of the reference library, writes a line above
// the bars that do, and shows the verdict. Needs melodysim: see its docs/daw.md.
MuseScore {
    menuPath: "Plugins.melodysim.Check melody"
    description: "Say whether a mechanical licence is likely to be needed for the melody of this score."
    version: "0.1.0"
    requiresScore: true

    property string command: "melodysim"
    property real likely: 0.0001 // the rates of `melodysim check`
    property real review: 0.005

    QProcess { id: process }
    FileIO { id: settings; source: settings.homePath() + "/.melodysim-command" }
    FileIO { id: question }
    FileIO { id: answer }
    MessageDialog { id: dialog; title: "melodysim" }

    // In a window; in the log where there are none.
    function say(text) {
        console.log(text)
        if (Qt.platform.pluginName !== "offscreen") {
            dialog.text = text
            dialog.open()
        }
    }

    function quoted(path) {
        return '"' + path.replace(/"/g, '"""') + '"' // as QProcess reads a line
    }

    // Words of a score are marked up as HTML is.
    function plain(text) {
        return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
    }

    // Take the lines of an earlier check away.
    function clearMarks() {
        var old = []
        for (var segment = curScore.firstSegment(); segment; segment = segment.next)
            for (var k = 0; k < segment.annotations.length; k++) {
                var words = segment.annotations[k]
                if (words.type === Element.STAFF_TEXT && words.text.indexOf("melodysim ") === 0) old.push(words)
            }
        for (var j = 0; j < old.length; j++) removeElement(old[j])
    }

    // The staff that a passage lies in: its part is named first, as in "Choir, voice 2".
    function staffOf(voice) {
        for (var k = 0; k < curScore.parts.length; k++) {
            var part = curScore.parts[k], names = [part.longName, part.partName]
            for (var j = 0; j < names.length; j++)
                if (names[j] && voice.indexOf(names[j]) === 0) {
                    var staff = /, staff (\d+)/.exec(voice)
                    return part.startTrack / 4 + (staff ? Number(staff[1]) - 1 : 0)
                }
        }
        return 0
    }

    // Write a line above a measure of the page, counted from 1.
    function mark(measure, voice, text) {
        var bar = curScore.firstMeasure
        for (var k = 1; bar && k < measure; k++) bar = bar.nextMeasure
        if (!bar) return
        var cursor = curScore.newCursor()
        cursor.rewind(0)
        cursor.staffIdx = staffOf(voice)
        while (cursor.segment && cursor.tick < bar.firstSegment.tick) cursor.next()
        if (!cursor.segment) return
        var line = newElement(Element.STAFF_TEXT)
        line.text = plain(text)
        cursor.add(line)
    }

    onRun: {
        var named = settings.exists() ? settings.read().trim() : ""
        if (named) command = named
        // A name of its own, in a folder that others may write to as well.
        var path = settings.tempPath() + "/melodysim-" + Date.now() + "-" + Math.floor(Math.random() * 1e9)
        if (!writeScore(curScore, path, "musicxml")) return say("The score cannot be written to " + path)
        question.source = path + ".musicxml"
        answer.source = path + ".json"
        process.start(quoted(command) + " check " + quoted(question.source) + " --quiet --output "
            + quoted(answer.source))
        var finished = process.waitForFinished(600000)
        question.remove()
        if (!finished || !answer.exists()) {
            var why = process.readAllStandardOutput()
            return say("melodysim gave no answer" + (why ? ": " + why : "") + "\nIn a terminal, `which "
                + "melodysim` tells the path of its command: write it into " + settings.source)
        }
        var track = JSON.parse(answer.read()).tracks[0]
        answer.remove()
        var said = [track.verdict.toUpperCase()].concat(track.reasons || [])
        var settled = (track.accepted || []).map(function (one) { return one.id })
        curScore.startCmd()
        clearMarks()
        for (var k = 0; k < (track.matches || []).length; k++) {
            var match = track.matches[k]
            var status = match.reference.rights.status
            if (match.e_value >= review || settled.indexOf(match.reference.id) >= 0) continue
            var level = status !== "in-copyright" && status !== "unknown" ? "free"
                : match.e_value < likely ? "likely" : "review"
            var words = "melodysim " + level + ": " + match.reference.title
            mark(match.query.measures[0], match.voice, words)
            said.push(words + ", " + match.voice + ", bars " + match.query.bars.join(" to "))
        }
        curScore.endCmd()
        say(said.join("\n"))
        Qt.quit()
    }
}
