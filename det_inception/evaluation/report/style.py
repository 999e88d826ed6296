"""The style sheet of a report, which stands inside its page."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #faf9f6; --card: #ffffff; --ink: #20242a; --soft: #666c75; --line: #e2dfd8; --track: #eeebe4;
  --accent: #2a6f97; --good: #1f8a4c; --bad: #c8432b; --warn: #b8860b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #15171b; --card: #1c1f24; --ink: #e7e5e0; --soft: #9ba1a9; --line: #2d3138; --track: #282c33;
    --accent: #7cc0e4; --good: #5cc98a; --bad: #f0907a; --warn: #e3b95b;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
main, header, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 48px; }
h1 { font-size: 30px; line-height: 1.2; letter-spacing: -0.015em; margin: 4px 0 6px; overflow-wrap: anywhere; }
h2 { font-size: 21px; letter-spacing: -0.01em; margin: 0 0 6px; }
h3 { font-size: 16px; margin: 28px 0 4px; }
p { margin: 0 0 12px; max-width: 74ch; }
a { color: var(--accent); }
.kicker { color: var(--soft); font-size: 13px; letter-spacing: 0.08em; text-transform: uppercase; margin: 0; }
.soft, figcaption, .note { color: var(--soft); }
.note, figcaption { font-size: 14px; }
.note { max-width: 88ch; }
.summary {
  display: grid; grid-template-columns: minmax(230px, 1.15fr) 3fr; gap: 1px; margin: 26px 0 18px;
  background: var(--line); border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
}
.summary > * { background: var(--card); padding: 20px 24px; }
.headline .soft { display: block; font-size: 14px; }
.headline b { display: block; font-size: 56px; line-height: 1.05; letter-spacing: -0.03em; }
.tiles { display: flex; flex-wrap: wrap; gap: 18px 40px; align-items: center; margin: 0; }
.tiles div { min-width: 76px; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { margin: 0; font-size: 23px; font-weight: 600; letter-spacing: -0.01em; }
.findings { padding-left: 20px; margin: 0 0 18px; overflow-wrap: anywhere; }
.findings li { margin-bottom: 3px; }
nav { display: flex; flex-wrap: wrap; gap: 6px 18px; font-size: 14px; padding-bottom: 6px; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { border-top: 1px solid var(--line); padding: 30px 0 26px; margin-top: 18px; scroll-margin-top: 8px; }
figure { margin: 18px 0 0; }
figure > picture > img { max-width: 100%; height: auto; display: block; }
figcaption { margin-top: 10px; max-width: 88ch; }
.bars { list-style: none; padding: 0; margin: 18px 0 0; }
.bars.many { columns: 3 280px; column-gap: 36px; }
.bars li {
  display: grid; grid-template-columns: minmax(70px, 12em) 1fr 3em; gap: 10px; align-items: center; break-inside: avoid;
  padding: 3px 0;
}
.bars.many li { grid-template-columns: 9.2em 1fr 3em; padding: 1px 0; font-size: 13px; }
.bars.shares li { grid-template-columns: minmax(70px, 9em) 1fr 3.8em; }
.bars .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars .value, td.number { text-align: right; }
.track { display: block; height: 10px; border-radius: 3px; background: var(--track); min-width: 40px; }
.many .track { height: 7px; }
.track i { display: block; height: 100%; border-radius: 3px; background: var(--accent); }
.track i.bad { background: var(--bad); }
.track i.soft { background: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: 14px 0 0; font-size: 14.5px; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft); vertical-align: bottom; }
th.number { text-align: right; white-space: nowrap; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
td.wide { width: 22%; }
td .track { min-width: 60px; }
tbody th { color: var(--ink); font-size: inherit; white-space: nowrap; }
tbody th, tbody td { vertical-align: middle; }
th small { font-weight: 400; }
td.meaning { color: var(--soft); min-width: 17em; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 8px 48px; }
.side { display: grid; grid-template-columns: minmax(300px, 1.1fr) 1fr; gap: 20px 44px; align-items: start; }
.shots {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 20px 18px; margin: 14px 0 0;
}
.shots figure { margin: 0; }
.shots .frame {
  aspect-ratio: 4 / 3; background: var(--track); border-radius: 8px; overflow: hidden;
  display: flex; align-items: center; justify-content: center;
}
.shots img { max-width: 100%; max-height: 100%; width: 100%; height: 100%; object-fit: contain; }
.shots figcaption { margin-top: 6px; font-size: 13px; line-height: 1.4; overflow-wrap: anywhere; }
.shots figcaption b { color: var(--ink); }
.chip { font-weight: 600; color: var(--bad); }
.chip.good { color: var(--good); }
details { margin-top: 18px; }
summary { cursor: pointer; color: var(--accent); font-weight: 600; font-size: 15px; }
.key { display: inline-block; width: 22px; height: 0; border-top: 3px solid; vertical-align: middle; margin: 0 4px; }
.key.dashed { border-top-style: dashed; color: var(--soft); }
footer { color: var(--soft); font-size: 13px; padding-top: 14px; padding-bottom: 48px; }
@media (max-width: 720px) { .summary, .side { grid-template-columns: 1fr; } td.meaning { min-width: 12em; } }
@media print { nav { display: none; } section { break-inside: avoid-page; } }
"""
