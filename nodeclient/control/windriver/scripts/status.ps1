param($q)
if ($q.id -notmatch '^[A-Za-z0-9_-]{8,64}$') { throw 'the id is malformed' }
$file = Join-Path $env:ProgramData ('ConnectHub\Orchestration\operations\' + $q.id + '.json')
if (-not (Test-Path -LiteralPath $file)) { return (@{ id = $q.id; state = 'unknown' } | ConvertTo-Json -Compress) }
$o = Get-Content -Raw -LiteralPath $file | ConvertFrom-Json
$boot = (Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('o')
if ($o.state -eq 'running' -and $o.boot -ne $boot) { $o.state = 'lost' }
$o | ConvertTo-Json -Depth 6 -Compress
