param($q)
$base = Join-Path $env:ProgramData 'ConnectHub\Orchestration'
$folder = Join-Path $base 'operations'
New-Item -ItemType Directory -Force -Path $folder | Out-Null
if ($q.work.id -notmatch '^[A-Za-z0-9_-]{8,64}$') { throw 'the id is malformed' }
$lock = New-Object Threading.Mutex($false, 'Global\ConnectHubOrchestration')
[void]$lock.WaitOne(30000)
try {
  $file = Join-Path $folder ($q.work.id + '.json')
  if (-not (Test-Path -LiteralPath $file)) {
    foreach ($f in @(Get-ChildItem (Join-Path $folder '*.json'))) {
      $o = Get-Content -Raw -LiteralPath $f.FullName | ConvertFrom-Json
      if ($o.state -eq 'running') {
        return (@{ id = $q.work.id; state = 'busy'; detail = [string]$o.id } | ConvertTo-Json -Compress)
      }
    }
    $o = @{ id = $q.work.id; state = 'running'; code = 0; detail = ''; restart = $false; work = $q.work
      boot = (Get-CimInstance Win32_OperatingSystem).LastBootUpTime.ToUniversalTime().ToString('o') }
    $runner = Join-Path $base 'run.ps1'
    Set-Content -LiteralPath $runner -Value $q.runner -Encoding UTF8
    Set-Content -LiteralPath (Join-Path $base 'next') -Value $q.work.id -Encoding ASCII
    Set-Content -LiteralPath $file -Value ($o | ConvertTo-Json -Depth 6 -Compress) -Encoding UTF8
    $line = 'powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + $runner + '"'
    $made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = $line }
    if ($made.ReturnValue -ne 0) {
      Remove-Item -LiteralPath $file
      throw ('the operation could not be started: ' + $made.ReturnValue)
    }
  }
  Get-Content -Raw -LiteralPath $file
} finally { $lock.ReleaseMutex() }
