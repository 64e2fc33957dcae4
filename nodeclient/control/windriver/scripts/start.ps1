if ($q.work.id -notmatch '^[A-Za-z0-9_-]{8,64}\z') { throw 'the id is malformed' }
$file = Join-Path $folder ($q.work.id + '.json')
$runner = Join-Path $base 'run.ps1'
Alone {
  if (Test-Path -LiteralPath $file) { return (Look $file | ConvertTo-Json -Depth 6 -Compress) }
  $all = @(Get-ChildItem (Join-Path $folder '*.json') | ForEach-Object { Look $_.FullName })
  $n = 1
  foreach ($o in $all) {
    if ($o.state -eq 'running') {
      return (@{ id = $q.work.id; state = 'busy'; detail = [string]$o.id } | ConvertTo-Json -Compress)
    }
    if ($o.n -ge $n) { $n = $o.n + 1 }
  }
  foreach ($o in $all) {
    if ($o.n -le $n - 50) { Remove-Item -Force -LiteralPath (Join-Path $folder ($o.id + '.json')) }
  }
  Set-Content -LiteralPath $runner -Value $q.runner -Encoding UTF8
  Set-Content -LiteralPath (Join-Path $base 'next') -Value $q.work.id -Encoding ASCII
  $o = [pscustomobject]@{ id = $q.work.id; state = 'running'; code = 0; detail = ''; restart = $false
    work = $q.work; boot = $boot; pid = 0; n = $n }
  Save $o $file
  $line = 'powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "' + $runner + '"'
  $made = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ CommandLine = $line }
  if ($made.ReturnValue -ne 0) {
    Remove-Item -Force -LiteralPath $file
    throw ('the operation could not be started: ' + $made.ReturnValue)
  }
  $o.pid = [int]$made.ProcessId
  Save $o $file
  $o | ConvertTo-Json -Depth 6 -Compress
}
